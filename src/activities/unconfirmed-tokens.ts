import type { CreateHeartbeat } from '../contract/names';

/**
 * How many tokens earlier attempts may have created unseen. Each attempt writes ahead, by heartbeat, that it may
 * create one, and takes that back once it knows better. An attempt that left no heartbeat may have created one too,
 * so a gap in the attempt numbers adds to the count: it errs upwards only.
 *
 * @param last the newest heartbeat details that Temporal has, of whichever attempt.
 */
export function unconfirmedBefore(attempt: number, last: CreateHeartbeat | undefined): number {
  const { attempt: lastAttempt, unconfirmedTokens } = last ?? { attempt: 0, unconfirmedTokens: 0 };
  return unconfirmedTokens + Math.max(0, attempt - 1 - lastAttempt);
}
