/**
 * Time before expiry at which a token is renewed, so that it does not expire during a usual
 * request.
 */
const MARGIN_MS = 60_000;

/** Computes how long a token is used. A token of a short lifetime is used for half of it. */
export function timeUntilRenewalMs(lifetimeMs: number): number {
  return Math.max(lifetimeMs - MARGIN_MS, lifetimeMs / 2);
}

/** Caches an access token, and fetches another after `renewAtMs`. A failure is not cached. */
export function createTokenCache<T extends { renewAtMs: number }>(fetch: () => Promise<T>) {
  let current: Promise<T> | null = null;

  function drop(stale: Promise<T>): void {
    if (current === stale) current = null;
  }

  function fetchOnce(): Promise<T> {
    const token = (current ??= fetch());
    token.catch(() => drop(token));
    return token;
  }

  return {
    /**
     * Returns the token. If there is none yet or it is stale, fetches one, once for all callers
     * that wait.
     *
     * @param isStale returns true for a token that must not be used, such as one that was refused.
     * @throws the error of the fetch.
     */
    async get(isStale: (token: T) => boolean = () => false): Promise<T> {
      const cached = fetchOnce();
      const token = await cached;
      if (token.renewAtMs > Date.now() && !isStale(token)) return token;
      drop(cached);
      return fetchOnce();
    },

    /** Fetches another token, which replaces the cached one if the fetch succeeds. */
    async replace(): Promise<void> {
      current = Promise.resolve(await fetch());
    },

    /** Returns the token that is cached or being fetched; null without one. */
    peek: () => current,
  };
}
