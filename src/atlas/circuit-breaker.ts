import type { Backoff } from '../shared/activities';
import { leastRetryDelayMs } from '../shared/retry-delay';
import { AtlasError, notSentFailure, type AtlasFailure } from './outcomes';

/** Atlas fails for all organizations once so many credentials failed with no success between. */
const FAILING_CREDENTIALS = 3;
/** All runs wait for a probe of Atlas, and what it may leave is spread over all organizations. */
const MAX_ATLAS_PROBE_INTERVAL_MS = 15_000;
/** A probe waits no longer, even if Atlas requested that. */
const MAX_PROBE_WAIT_MS = 15 * 60_000;

/** Says that an open circuit kept a request from being sent, which says nothing new of Atlas. */
class HeldBackError extends AtlasError {}

/**
 * Creates the circuit breakers of this process: one for each credential, which the first failure
 * opens, and one for Atlas, which three credentials open that fail with no success between. So one
 * organization's failures hold nobody else back, and an outage of Atlas is one outage: it leaves at
 * most one unconfirmed token for each request under way at its start, and one for each probe.
 */
export function createCircuitBreakers(backoff: Backoff) {
  const maximumIntervalMs = Math.min(backoff.maximumIntervalMs, 2 * MAX_ATLAS_PROBE_INTERVAL_MS);
  const atlas = createCircuitBreaker('with any credential', FAILING_CREDENTIALS, {
    ...backoff,
    maximumIntervalMs,
  });

  return (credentialName: string) => {
    const own = createCircuitBreaker(`with credential ${credentialName}`, 1, backoff);
    return {
      /**
       * Describes in a clause why requests are held back, and until when; null while both circuits
       * are closed.
       */
      describe: () => atlas.describe() ?? own.describe(),

      /** @throws AtlasError immediately while a circuit is open, or the error of the request. */
      run: <T>(request: () => Promise<T>): Promise<T> =>
        atlas.run(credentialName, () => own.run(credentialName, request), own.isOpen()),
    };
  };
}

/**
 * Creates a circuit breaker. While it is open, one request at a time probes, at the pace of a
 * single run that is retried, and all others are rejected, until a probe succeeds.
 *
 * A single run hardly notices it. There is one exception: when attempts that Temporal retried, such
 * as refused connections, are followed by one that may have created a token, the delays of the run
 * start small again, and those of the circuit breaker do not.
 */
function createCircuitBreaker(scope: string, opensAt: number, backoff: Backoff) {
  /** Credentials that failed since the last success. */
  const failing = new Set<string>();
  let failedProbes = 0;
  let lastFailure: Pick<AtlasFailure, 'message' | 'details'> = { message: '', details: {} };
  /** Time of the clock of `performance`, which cannot be set back. */
  let nextProbeAtMs = 0;
  let pauseMs = 0;
  let isProbing = false;

  const isOpen = () => failing.size >= opensAt;
  const remainingMs = () => Math.max(0, Math.ceil(nextProbeAtMs - performance.now()));
  const mayProbe = (yields: boolean) =>
    !isProbing && performance.now() >= nextProbeAtMs + (yields ? pauseMs : 0);

  function describe(): string | null {
    if (!isOpen()) return null;
    const waitMs = remainingMs();
    const when =
      waitMs > 0
        ? `no link-token request ${scope} until ${new Date(Date.now() + waitMs).toISOString()}`
        : `one link-token request at a time ${scope}, until one succeeds`;
    return `${lastFailure.message}; after that, this worker sends ${when}`;
  }

  function close(): void {
    failing.clear();
    failedProbes = 0;
    // A wait that Atlas requested in the outage is over with it.
    nextProbeAtMs = 0;
  }

  function recordFailure(credentialName: string, failure: AtlasFailure, isProbe: boolean): void {
    failing.add(credentialName);
    // Requests that were under way together count as one failure.
    if (isProbe) failedProbes += 1;
    lastFailure = failure;
    const requestedMs = Math.min(failure.retryAfterMs ?? 0, MAX_PROBE_WAIT_MS);
    pauseMs = leastRetryDelayMs(backoff, 1 + failedProbes);
    const dueAtMs = performance.now() + Math.max(requestedMs, pauseMs);
    nextProbeAtMs = Math.max(nextProbeAtMs, dueAtMs);
  }

  return {
    describe,
    isOpen,

    /**
     * @param yields whether another credential's request is the better probe: this one waits a
     *   second pause for it. Otherwise organizations that fail for ever would take each probe, and
     *   so hold the others back for ever.
     */
    async run<T>(credentialName: string, request: () => Promise<T>, yields = false): Promise<T> {
      const isProbe = isOpen();
      if (isProbe && !mayProbe(yields)) {
        const { details } = lastFailure;
        const message = `not sent, since ${describe() ?? ''}`;
        throw new HeldBackError(notSentFailure(message, { details, retryAfterMs: remainingMs() }));
      }
      isProbing ||= isProbe;
      try {
        const response = await request();
        // A request that was under way when the circuit opened closes nothing.
        if (isProbe || !isOpen()) close();
        return response;
      } catch (error) {
        // Any other error shows nothing about Atlas, such as a secret that could not be read.
        if (error instanceof AtlasError && isOutage(error)) {
          recordFailure(credentialName, error.failure, isProbe);
        }
        throw error;
      } finally {
        if (isProbe) isProbing = false;
      }
    },
  };
}

/** Tells whether Atlas failed, so that the next request is likely to fail too. */
function isOutage(error: AtlasError): boolean {
  const { permanent, tokenMayExist, details } = error.failure;
  if (permanent || error instanceof HeldBackError) return false;
  // Or no complete response arrived.
  return tokenMayExist || (details.status ?? 500) >= 500;
}
