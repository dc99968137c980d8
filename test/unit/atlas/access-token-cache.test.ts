import { createTokenCache, timeUntilRenewalMs } from '../../../src/atlas/access-token-cache';

it.each([
  [3_600_000, 3_540_000],
  [90_000, 45_000],
])('an access token that lives for %d ms is used for %d ms', (lifetimeMs, usedMs) => {
  expect(timeUntilRenewalMs(lifetimeMs)).toBe(usedMs);
});

it('an access token is fetched again once its renewal is due', async () => {
  const renewals = [Date.now() - 1, Infinity];
  const cache = createTokenCache(() => Promise.resolve({ renewAtMs: renewals.shift() ?? 0 }));
  expect(await cache.get()).toEqual({ renewAtMs: Infinity });
});
