import { getEventListeners } from 'node:events';
import { createTokenCache } from '../../../src/http/token-cache';

interface Value {
  id: number;
  renewAtMs: number;
}

/** A token cache whose fetches the test settles one by one. */
function controlled() {
  const fetches: { succeed(renewAtMs?: number): void; fail(error: Error): void }[] = [];
  const cache = createTokenCache<Value>(
    () =>
      new Promise((resolve, reject) => {
        const id = fetches.length + 1;
        fetches.push({ succeed: (renewAtMs = Infinity) => resolve({ id, renewAtMs }), fail: reject });
      }),
  );
  return { cache, fetches };
}

const idsOf = async (...values: Promise<Value>[]) => (await Promise.all(values)).map(({ id }) => id);

afterEach(() => void jest.useRealTimers());

describe('a token cache', () => {
  it('is fetched once for all who wait, kept, and renewed once for all who come after renewAtMs', async () => {
    jest.useFakeTimers({ now: 0 });
    const { cache, fetches } = controlled();
    expect(cache.peek()).toBeNull();
    const waiting = [cache.get(), cache.get()];
    fetches[0]?.succeed(60_000);
    expect(await idsOf(...waiting, cache.get())).toEqual([1, 1, 1]);
    expect(await cache.peek()).toMatchObject({ id: 1 });
    jest.setSystemTime(60_001);
    const late = [cache.get(), cache.get()];
    await jest.advanceTimersByTimeAsync(0);
    fetches[1]?.succeed();
    expect(await idsOf(...late)).toEqual([2, 2]);
    expect(fetches).toHaveLength(2);
  });

  it('is renewed once for all who find the same value stale, and not for one who comes later with it', async () => {
    const { cache, fetches } = controlled();
    const first = cache.get();
    fetches[0]?.succeed();
    const stale = await first;
    const isStale = (value: Value) => value === stale;
    const waiting = [cache.get({ isStale }), cache.get({ isStale })];
    await new Promise(setImmediate);
    fetches[1]?.succeed();
    expect(await idsOf(...waiting, cache.get({ isStale }))).toEqual([2, 2, 2]);
    expect(fetches).toHaveLength(2);
  });

  it('fails for all who wait, and is fetched again by the next', async () => {
    const { cache, fetches } = controlled();
    const error = new Error('refused');
    const waiting = [cache.get(), cache.get()].map((value) => value.catch((reason: unknown) => reason));
    fetches[0]?.fail(error);
    expect(await Promise.all(waiting)).toEqual([error, error]);
    expect(cache.peek()).toBeNull();
    const next = cache.get();
    fetches[1]?.succeed();
    expect(await idsOf(next)).toEqual([2]);
  });

  it('stops waiting when the signal aborts, and is fetched on for the others', async () => {
    const { cache, fetches } = controlled();
    const controller = new AbortController();
    const reason = new Error('stopped');
    const aborted = cache.get({ signal: controller.signal });
    const { signal } = new AbortController();
    const other = cache.get({ signal });
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    fetches[0]?.succeed();
    expect(await idsOf(other)).toEqual([1]);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(fetches).toHaveLength(1);
  });
});
