import { Context } from '@temporalio/activity';

/** A cancellation reaches an attempt with the response to a heartbeat. Each is a write on the server. */
const LONGEST_INTERVAL_MS = 3000;
/** Whoever calls the activity from a workflow of their own sets the timeout. */
const SHORTEST_INTERVAL_MS = 100;

/** Two heartbeats may be lost or late before the attempt counts as lost. */
export function heartbeatIntervalMs(heartbeatTimeoutMs: number): number {
  return Math.min(LONGEST_INTERVAL_MS, Math.max(SHORTEST_INTERVAL_MS, Math.floor(heartbeatTimeoutMs / 3)));
}

/** Heartbeats while the work goes on. A quick attempt sends none. */
export async function withHeartbeats<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  // By the timeout of this attempt: another worker may have scheduled it with its own configuration.
  const intervalMs = heartbeatIntervalMs(context.info.heartbeatTimeoutMs || Infinity);
  const timer = setInterval(() => context.heartbeat(), intervalMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
