import { Context } from '@temporalio/activity';

/**
 * A cancellation reaches an attempt only with the response to a heartbeat. The shortest heartbeat
 * timeout is 10 s, so two heartbeats in a row may be late. This relies on the
 * `maxHeartbeatThrottleInterval` of `createWorker`.
 */
export const HEARTBEAT_INTERVAL_MS = 3000;

/** Sends heartbeats while the work is under way. A quick attempt sends none. */
export async function withHeartbeats<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), HEARTBEAT_INTERVAL_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
