import { unlessAborted } from './unless-aborted';

interface Expiring<T> {
  /**
   * The value, fetched where there is none yet or it is stale: once for all who wait.
   *
   * @param isStale whether this value must not be used, such as a token that was refused.
   * @param signal ends the waiting; the fetch goes on for the others.
   * @throws what the fetch throws, or the reason of `signal`.
   */
  get(options?: { isStale?: (value: T) => boolean; signal?: AbortSignal }): Promise<T>;
  /** What is cached or being fetched now; null before the first `get` and after a failure. */
  peek(): Promise<T> | null;
}

/** Caches a value that expires, such as an access token. It is renewed after `renewAtMs`; a failure is not cached. */
export function createExpiring<T extends { renewAtMs: number }>(fetch: () => Promise<T>): Expiring<T> {
  let current: Promise<T> | null = null;

  function drop(stale: Promise<T>): void {
    if (current === stale) current = null;
  }

  function pending(): Promise<T> {
    const value = (current ??= fetch());
    value.catch(() => drop(value));
    return value;
  }

  async function fresh(isStale: (value: T) => boolean): Promise<T> {
    const cached = pending();
    const value = await cached;
    if (value.renewAtMs > Date.now() && !isStale(value)) return value;
    drop(cached);
    return pending();
  }

  return {
    get: ({ isStale = () => false, signal } = {}) =>
      signal ? unlessAborted(() => fresh(isStale), signal) : fresh(isStale),
    peek: () => current,
  };
}
