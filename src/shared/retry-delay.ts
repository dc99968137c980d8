import type { Backoff } from './activities';

/**
 * Computes exponential backoff with jitter, which Temporal's retry policy lacks.
 *
 * @param attempt from 1.
 * @param retryAfterMs the wait that the server requested; jitter is added to it and never taken from it.
 */
export function retryDelayMs(backoff: Backoff, attempt: number, retryAfterMs?: number): number {
  const leastMs = leastRetryDelayMs(backoff, attempt);
  const jitterMs = leastMs * Math.random();
  return Math.round(retryAfterMs === undefined ? leastMs + jitterMs : retryAfterMs + 2 * jitterMs);
}

/** The shortest delay after this attempt: half of the backoff. */
export function leastRetryDelayMs(
  { initialIntervalMs, backoffCoefficient, maximumIntervalMs }: Backoff,
  attempt: number,
): number {
  return Math.min(initialIntervalMs * backoffCoefficient ** (attempt - 1), maximumIntervalMs) / 2;
}
