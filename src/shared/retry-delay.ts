import type { RetryPolicy } from '@temporalio/common';
import type { Backoff } from './activities';

/** The factor from each delay to the next. */
const BACKOFF_COEFFICIENT = 2;

/**
 * Attempts that wait for the same time, such as the next probe of Atlas, spread over so long after
 * it. So all runs follow within it once Atlas works again.
 */
const MAX_SPREAD_MS = 10_000;

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
  const backoffMs = computeBackoffMs(backoff, failureCount);
  const random = Math.random();
  if (retryAfterMs === undefined) return Math.round(backoffMs * (0.5 + random / 2));
  return Math.round(retryAfterMs + Math.min(backoffMs, MAX_SPREAD_MS) * random);
}

/**
 * Builds the retry policy for attempts that report nothing. One that reports its failure sets the
 * next delay itself, with jitter.
 */
export function retryPolicy({ initialIntervalMs, maximumIntervalMs }: Backoff): RetryPolicy {
  return {
    initialInterval: initialIntervalMs,
    backoffCoefficient: BACKOFF_COEFFICIENT,
    maximumInterval: maximumIntervalMs,
  };
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
  return computeBackoffMs(backoff, failureCount) / 2;
}

function computeBackoffMs(
  { initialIntervalMs, maximumIntervalMs }: Backoff,
  failureCount: number,
): number {
  return Math.min(initialIntervalMs * BACKOFF_COEFFICIENT ** (failureCount - 1), maximumIntervalMs);
}
