import { Context } from '@temporalio/activity';

/** A cancellation reaches an attempt only with the response to a heartbeat. */
export const HEARTBEAT_INTERVAL_MS = 3000;
/** Other workflows that call the activity set any timeout. */
const SHORTEST_INTERVAL_MS = 100;

/**
 * A third of the timeout, so that two heartbeats in a row may be late. This relies on the
 * `maxHeartbeatThrottleInterval` of `createWorker`.
 */
function computeIntervalMs(heartbeatTimeoutMs: number): number {
  const thirdMs = Math.floor(heartbeatTimeoutMs / 3);
  return Math.min(HEARTBEAT_INTERVAL_MS, Math.max(SHORTEST_INTERVAL_MS, thirdMs));
}

/** Sends heartbeats while the work is under way. A quick attempt sends none. */
export async function withHeartbeats<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  // The timeout is that of this attempt, which a worker with another configuration may have
  // scheduled.
  const intervalMs = computeIntervalMs(context.info.heartbeatTimeoutMs || Infinity);
  const timer = setInterval(() => context.heartbeat(), intervalMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
