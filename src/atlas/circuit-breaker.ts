import type { Backoff } from '../shared/activities';
import { leastRetryDelayMs } from '../shared/retry-delay';
import { AtlasError, notSentFailure, type AtlasFailure } from './outcomes';

/** A probe waits no longer, even if Atlas requested that. */
const MAX_PROBE_WAIT_MS = 15 * 60_000;

/**
 * Creates the circuit breaker of one credential, in this process only. The first failure of Atlas
 * opens it. From then on one request at a time probes, at the pace of a single run that is retried,
 * and all others are rejected. So an outage leaves at most one unconfirmed token for each request
 * under way at its start, and one for each probe.
 *
 * A single run hardly notices it. There is one exception: when attempts that Temporal retried, such
 * as refused connections, are followed by one that may have created a token, the delays of the run
 * start small again, and those of the circuit breaker do not.
 */
export function createCircuitBreaker(credentialName: string, backoff: Backoff) {
  /** Consecutive failures. The circuit is open while there is one. */
  let failureCount = 0;
  let lastFailure: Pick<AtlasFailure, 'message' | 'details'> = { message: '', details: {} };
  /** Time of the clock of `performance`, which cannot be set back. */
  let nextProbeAtMs = 0;
  let isProbing = false;

  const remainingMs = () => Math.max(0, Math.ceil(nextProbeAtMs - performance.now()));

  /**
   * Describes in a clause why requests are held back, and until when; null while the circuit is
   * closed.
   */
  function describe(): string | null {
    if (failureCount === 0) return null;
    const waitMs = remainingMs();
    const when =
      waitMs > 0
        ? `no link-token request with credential ${credentialName} until` +
          ` ${new Date(Date.now() + waitMs).toISOString()}`
        : `one link-token request at a time with credential ${credentialName},` +
          ' until Atlas responds';
    return `${lastFailure.message}; after that, this worker sends ${when}`;
  }

  function recordFailure(failure: AtlasFailure, isProbe: boolean): void {
    if (opensCircuit(failure)) {
      // Requests that were under way together count as one failure.
      if (isProbe || failureCount === 0) failureCount += 1;
      lastFailure = failure;
      const requestedMs = Math.min(failure.retryAfterMs ?? 0, MAX_PROBE_WAIT_MS);
      const pauseMs = Math.max(requestedMs, leastRetryDelayMs(backoff, failureCount));
      nextProbeAtMs = Math.max(nextProbeAtMs, performance.now() + pauseMs);
    } else if (isProbe && failure.details.status !== undefined) {
      close();
    }
  }

  function close(): void {
    failureCount = 0;
    // A wait that Atlas requested in the outage is over with it.
    nextProbeAtMs = 0;
  }

  return {
    describe,

    /** @throws AtlasError immediately while the circuit is open, or the error of the request. */
    async run<T>(request: () => Promise<T>): Promise<T> {
      const isOpen = failureCount > 0;
      if (isOpen && (isProbing || remainingMs() > 0)) {
        const { details } = lastFailure;
        const retryAfterMs = remainingMs();
        const message = `not sent, since ${describe() ?? ''}`;
        const consecutiveAtlasFailures = failureCount;
        throw new AtlasError(
          notSentFailure(message, { details, retryAfterMs, consecutiveAtlasFailures }),
        );
      }
      const isProbe = isOpen;
      isProbing ||= isProbe;
      try {
        const response = await request();
        if (isProbe) close();
        return response;
      } catch (error) {
        // Any other error shows nothing about Atlas, such as a secret that could not be read.
        if (error instanceof AtlasError) recordFailure(error.failure, isProbe);
        throw error;
      } finally {
        if (isProbe) isProbing = false;
      }
    },
  };
}

/** Tells whether the next request is likely to fail too. */
function opensCircuit({ permanent, tokenMayExist, details, retryAfterMs }: AtlasFailure): boolean {
  const { status } = details;
  if (permanent) return false;
  // No complete response arrived.
  if (status === undefined) return true;
  return tokenMayExist || status >= 500 || retryAfterMs !== undefined;
}
