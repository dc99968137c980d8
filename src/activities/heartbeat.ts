import { Context } from '@temporalio/activity';

/** A cancellation reaches an attempt with the response to a heartbeat. Each is a write on the server. */
const HEARTBEAT_INTERVAL_MS = 3000;

/** Heartbeats while the work goes on. A quick attempt sends none. */
export async function withHeartbeats<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), HEARTBEAT_INTERVAL_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
