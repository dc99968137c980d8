import fc from 'fast-check';
import type { Backoff } from '../../../src/shared/activities';
import { retryDelayMs } from '../../../src/shared/retry-delay';

const settings = fc.record({
  initialIntervalMs: fc.integer({ min: 1, max: 600_000 }),
  maximumIntervalMs: fc.integer({ min: 1, max: 86_400_000 }),
});
const counts = fc.integer({ min: 1, max: 100_000 });
const waits = fc.nat(1_000_000_000);

const backoffMsOf = (backoff: Backoff, failures: number) =>
  Math.min(backoff.initialIntervalMs * 2 ** (failures - 1), backoff.maximumIntervalMs);

function expectBetween(delayMs: number, leastMs: number, mostMs: number): void {
  expect(Number.isSafeInteger(delayMs)).toBe(true);
  expect(delayMs).toBeGreaterThanOrEqual(leastMs);
  expect(delayMs).toBeLessThanOrEqual(mostMs);
}

it('a delay is between half of the backoff and all of it', () => {
  fc.assert(
    fc.property(settings, counts, (backoff, failures) => {
      const backoffMs = backoffMsOf(backoff, failures);
      const delayMs = retryDelayMs(backoff, failures, undefined);
      expectBetween(delayMs, Math.floor(backoffMs / 2), backoffMs);
    }),
  );
});

it('a delay exceeds a Retry-After by at most the backoff, and by at most ten seconds', () => {
  fc.assert(
    fc.property(settings, counts, waits, (backoff, failures, retryAfterMs) => {
      const spreadMs = Math.min(backoffMsOf(backoff, failures), 10_000);
      const delayMs = retryDelayMs(backoff, failures, retryAfterMs);
      expectBetween(delayMs, retryAfterMs, retryAfterMs + spreadMs);
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
