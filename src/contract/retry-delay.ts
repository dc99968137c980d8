import type { RetryPlan } from './activities';

/**
 * Exponential backoff with jitter, which Temporal's retry policy lacks.
 *
 * @param attempt from 1.
 * @param retryAfterMs the wait that the server asked for; jitter is added to it and never taken from it.
 * @returns whole milliseconds.
 */
export function retryDelayMs(
  plan: Pick<RetryPlan, 'initialIntervalMs' | 'backoffCoefficient' | 'maximumIntervalMs'>,
  attempt: number,
  retryAfterMs?: number,
): number {
  const exponentialMs = plan.initialIntervalMs * plan.backoffCoefficient ** (attempt - 1);
  const backoffMs = Math.min(exponentialMs, plan.maximumIntervalMs);
  const jitterMs = (backoffMs / 2) * Math.random();
  return Math.round(retryAfterMs === undefined ? backoffMs / 2 + jitterMs : retryAfterMs + 2 * jitterMs);
}
