import fc from 'fast-check';
import { retryDelayMs } from '../../../src/shared/retry-delay';

const settings = fc.record({
  initialIntervalMs: fc.integer({ min: 1, max: 600_000 }),
  maximumIntervalMs: fc.integer({ min: 1, max: 86_400_000 }),
});
const counts = fc.integer({ min: 1, max: 100_000 });
const waits = fc.option(fc.nat(1_000_000_000), { nil: undefined });

it('a delay is between half of the backoff and all of it, or up to the backoff above the Retry-After', () => {
  fc.assert(
    fc.property(settings, counts, waits, (backoff, failures, retryAfterMs) => {
      const delayMs = retryDelayMs(backoff, failures, retryAfterMs);
      const exponentialMs = backoff.initialIntervalMs * 2 ** (failures - 1);
      const backoffMs = Math.min(exponentialMs, backoff.maximumIntervalMs);
      expect(Number.isSafeInteger(delayMs)).toBe(true);
      expect(delayMs).toBeGreaterThanOrEqual(retryAfterMs ?? Math.floor(backoffMs / 2));
      expect(delayMs).toBeLessThanOrEqual((retryAfterMs ?? 0) + Math.ceil(backoffMs));
    }),
  );
});

it.each([
  ['without', undefined],
  ['with', 5000],
])('a delay %s a Retry-After has jitter', (_which, retryAfterMs) => {
  const backoff = { initialIntervalMs: 10_000, maximumIntervalMs: 10_000 };
  const delays = Array.from({ length: 50 }, () => retryDelayMs(backoff, 1, retryAfterMs));
  expect(new Set(delays).size).toBeGreaterThan(10);
});
