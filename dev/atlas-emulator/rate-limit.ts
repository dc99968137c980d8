import { atlasError, type RouteError } from './responses';
import type { Seed } from './seed';

type RateLimit = Seed['settings']['rateLimit'];

/** The budgets of requests, one for each organization: a token bucket, as Atlas has it. */
export class RequestBudgets {
  private readonly buckets = new Map<string, { level: number; at: number }>();

  /**
   * Takes one request from an organization's budget: Atlas grants 500 requests and refills 250 a
   * minute.
   */
  take(orgId: string, { enabled, capacity, refillPerMinute }: RateLimit) {
    const now = Date.now();
    const { level, at } = this.buckets.get(orgId) ?? { level: capacity, at: now };
    const perMs = refillPerMinute / 60_000;
    const filled = Math.min(capacity, level + (now - at) * perMs);
    const allowed = !enabled || filled >= 1;
    const newLevel = allowed && enabled ? filled - 1 : filled;
    this.buckets.set(orgId, { level: newLevel, at: now });
    return {
      allowed,
      remaining: Math.floor(newLevel),
      retryAfterSeconds: Math.max(1, Math.ceil((1 - newLevel) / perMs / 1000)),
    };
  }
}

/** The 429 recorded in 2026: it repeats its parameters in its text. */
export function rateLimited(
  path: string,
  { capacity, refillPerMinute }: RateLimit,
  retryAfterSeconds: number,
  headers: Record<string, string>,
): RouteError {
  const detail =
    `Rate limit exceeded for {0}. Please retry after ${retryAfterSeconds} seconds. ` +
    `Request capacity: ${capacity}. Refill rate: ${refillPerMinute} per 60 seconds. ` +
    'For more information, see: http://dochub.mongodb.org/core/atlas-api-rate-limit.';
  const parameters = [path.slice(1), retryAfterSeconds, capacity, refillPerMinute, 60];
  return atlasError('RATE_LIMITED_TOKEN_BUCKET', { detail, parameters, headers });
}
