import type { Backoff } from './activities';

/** The factor from each delay to the next. */
export const BACKOFF_COEFFICIENT = 2;

/**
 * Computes exponential backoff with jitter, which Temporal's retry policy lacks.
 *
 * @param failureCount how many in a row, from 1.
 * @param retryAfterMs the wait that the server requested; jitter is added to it and never taken
 *   from it.
 */
export function retryDelayMs(
  backoff: Backoff,
  failureCount: number,
  retryAfterMs?: number,
): number {
  const leastMs = leastRetryDelayMs(backoff, failureCount);
  const jitterMs = leastMs * Math.random();
  return Math.round(retryAfterMs === undefined ? leastMs + jitterMs : retryAfterMs + 2 * jitterMs);
}

/**
 * Shortens the pause between two rounds of deliveries, by up to a fifth, so that runs that failed
 * together spread.
 *
 * @param random from 0 to 1.
 */
export function shortenPauseMs(pauseMs: number, random: number): number {
  return Math.round(pauseMs * (1 - random / 5));
}

/** Computes the shortest delay: half of the backoff. */
export function leastRetryDelayMs(backoff: Backoff, failureCount: number): number {
  const { initialIntervalMs, maximumIntervalMs } = backoff;
  return (
    Math.min(initialIntervalMs * BACKOFF_COEFFICIENT ** (failureCount - 1), maximumIntervalMs) / 2
  );
}
