import { Context } from '@temporalio/activity';

/** A cancellation reaches an attempt only with the response to a heartbeat. */
const LONGEST_INTERVAL_MS = 3000;
/** Other workflows that call the activity set any timeout. */
const SHORTEST_INTERVAL_MS = 100;

/** Two heartbeats may be late before the attempt counts as lost. */
export function heartbeatIntervalMs(heartbeatTimeoutMs: number): number {
  return Math.min(LONGEST_INTERVAL_MS, Math.max(SHORTEST_INTERVAL_MS, Math.floor(heartbeatTimeoutMs / 3)));
}

/** Sends heartbeats while the work is under way. A quick attempt sends none. */
export async function withHeartbeats<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  // The timeout is that of this attempt, which a worker with another configuration may have scheduled.
  const intervalMs = heartbeatIntervalMs(context.info.heartbeatTimeoutMs || Infinity);
  const timer = setInterval(() => context.heartbeat(), intervalMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
