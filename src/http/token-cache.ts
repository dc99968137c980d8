import { raceSignal } from '../abort';

interface TokenCache<T> {
  /**
   * Returns the token. If there is none yet or it is stale, fetches one, once for all callers that wait.
   *
   * @param isStale returns true for a token that must not be used, such as one that was refused.
   * @param signal ends the wait of this caller; the fetch continues for the others.
   * @throws the error of the fetch, or the reason of `signal`.
   */
  get(options?: { isStale?: (token: T) => boolean; signal?: AbortSignal }): Promise<T>;
  /** Fetches another token, which replaces the cached one if the fetch succeeds. */
  replace(): Promise<void>;
  /** Returns the token that is cached or being fetched; null before the first `get` and after a failure. */
  peek(): Promise<T> | null;
}

/** Caches an access token, and fetches another after `renewAtMs`. A failure is not cached. */
export function createTokenCache<T extends { renewAtMs: number }>(fetch: () => Promise<T>): TokenCache<T> {
  let current: Promise<T> | null = null;

  function drop(stale: Promise<T>): void {
    if (current === stale) current = null;
  }

  function fetchOnce(): Promise<T> {
    const token = (current ??= fetch());
    token.catch(() => drop(token));
    return token;
  }

  async function getFresh(isStale: (token: T) => boolean): Promise<T> {
    const cached = fetchOnce();
    const token = await cached;
    if (token.renewAtMs > Date.now() && !isStale(token)) return token;
    drop(cached);
    return fetchOnce();
  }

  return {
    get: ({ isStale = () => false, signal } = {}) =>
      signal ? raceSignal(() => getFresh(isStale), signal) : getFresh(isStale),
    async replace() {
      current = Promise.resolve(await fetch());
    },
    peek: () => current,
  };
}
