import type { Settings } from './seed';

interface Budget {
  allowed: boolean;
  remaining: number;
  /** Until the next request is allowed. */
  retryAfterSeconds: number;
}

/** A token bucket for each organization: Atlas grants 500 requests and refills 250 a minute. */
export class Buckets {
  private readonly buckets = new Map<string, { level: number; at: number }>();

  take(orgId: string, limit: Settings['rateLimit']): Budget {
    const now = Date.now();
    const { level, at } = this.buckets.get(orgId) ?? { level: limit.capacity, at: now };
    const perMs = limit.refillPerMinute / 60_000;
    const filled = Math.min(limit.capacity, level + (now - at) * perMs);
    const allowed = !limit.enabled || filled >= 1;
    const left = allowed && limit.enabled ? filled - 1 : filled;
    this.buckets.set(orgId, { level: left, at: now });
    return {
      allowed,
      remaining: Math.floor(left),
      retryAfterSeconds: Math.max(1, Math.ceil((1 - left) / perMs / 1000)),
    };
  }

  clear(): void {
    this.buckets.clear();
  }
}
