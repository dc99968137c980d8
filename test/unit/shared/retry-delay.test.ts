import fc from 'fast-check';
import { retryDelayMs } from '../../../src/shared/retry-delay';

const plans = fc
  .record({
    initialIntervalMs: fc.integer({ min: 1, max: 600_000 }),
    backoffCoefficient: fc.double({ min: 1, max: 100, noNaN: true }),
    maximumIntervalMs: fc.integer({ min: 1, max: 86_400_000 }),
  })
  .filter(({ initialIntervalMs, maximumIntervalMs }) => initialIntervalMs <= maximumIntervalMs);
const attempts = fc.integer({ min: 1, max: 100_000 });

describe('retryDelayMs', () => {
  it('is from half the backoff to the backoff, in whole milliseconds, and never above the maximum', () => {
    fc.assert(
      fc.property(plans, attempts, (plan, attempt) => {
        const delayMs = retryDelayMs(plan, attempt);
        const exponentialMs = plan.initialIntervalMs * plan.backoffCoefficient ** (attempt - 1);
        const backoffMs = Math.min(exponentialMs, plan.maximumIntervalMs);
        expect(Number.isSafeInteger(delayMs)).toBe(true);
        expect(delayMs).toBeGreaterThanOrEqual(Math.floor(backoffMs / 2));
        expect(delayMs).toBeLessThanOrEqual(Math.min(Math.ceil(backoffMs), plan.maximumIntervalMs));
      }),
    );
  });

  it('never shortens a wait that the server asked for, and adds at most the backoff to it', () => {
    fc.assert(
      fc.property(plans, attempts, fc.nat(1_000_000_000), (plan, attempt, retryAfterMs) => {
        const delayMs = retryDelayMs(plan, attempt, retryAfterMs);
        expect(delayMs).toBeGreaterThanOrEqual(retryAfterMs);
        expect(delayMs).toBeLessThanOrEqual(retryAfterMs + plan.maximumIntervalMs);
      }),
    );
  });

  it.each([undefined, 5000])('has jitter, after a Retry-After of %s ms too', (retryAfterMs) => {
    const plan = { initialIntervalMs: 10_000, backoffCoefficient: 1, maximumIntervalMs: 10_000 };
    const delays = Array.from({ length: 50 }, () => retryDelayMs(plan, 1, retryAfterMs));
    expect(new Set(delays).size).toBeGreaterThan(10);
  });
});
