import { createTokenCache } from '../../../src/http/token-cache';

/** A token cache whose tokens are numbered from 1, and are renewed after a minute. */
function numberingCache() {
  let fetched = 0;
  const fetch = jest.fn(() => {
    const token = { id: ++fetched, renewAtMs: Date.now() + 60_000 };
    return new Promise<typeof token>((resolve) => setImmediate(resolve, token));
  });
  const cache = createTokenCache(fetch);
  const getTwice = (isStale?: (token: object) => boolean) => Promise.all([cache.get(isStale), cache.get(isStale)]);
  return { fetch, cache, getTwice };
}

const [first, second] = [{ id: 1 }, { id: 2 }];

afterEach(() => void jest.useRealTimers());

describe('a token cache', () => {
  it('fetches one token for all who wait, keeps it, and renews it once for all who come after renewAtMs', async () => {
    jest.useFakeTimers({ now: 0, doNotFake: ['setImmediate'] });
    const { cache, getTwice } = numberingCache();
    expect(cache.peek()).toBeNull();
    expect(await getTwice()).toMatchObject([first, first]);
    expect([await cache.get(), await cache.peek()]).toMatchObject([first, first]);
    jest.setSystemTime(60_001);
    expect(await getTwice()).toMatchObject([second, second]);
  });

  it('renews a token once for all who find it stale, even if one of them comes later', async () => {
    const { cache, getTwice } = numberingCache();
    const stale = await cache.get();
    const isStale = (value: object) => value === stale;
    expect(await getTwice(isStale)).toMatchObject([second, second]);
    expect(await cache.get(isStale)).toMatchObject(second);
  });

  it('fails for all who wait when its fetch fails, and fetches again for the next caller', async () => {
    const { fetch, cache } = numberingCache();
    fetch.mockRejectedValueOnce(new Error('refused'));
    const waiting = await Promise.allSettled([cache.get(), cache.get()]);
    expect(waiting.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(cache.peek()).toBeNull();
    expect(await cache.get()).toMatchObject(first);
  });
});
