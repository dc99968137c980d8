import type { Backoff } from '../contract/activities';
import { leastRetryDelayMs } from '../contract/retry-delay';
import { AtlasError, notSentError, type AtlasOutcome } from './outcomes';

const TOO_MANY_REQUESTS = 429;

/** The circuit lets a request probe after this time, however long a wait Atlas requested of the one that failed. */
const MAX_REQUESTED_WAIT_MS = 15 * 60_000;

/**
 * The circuit breaker of one credential, in this process only. The first failure of Atlas opens it. From then on one
 * request at a time probes, at the pace of a single run that is retried, and all others are rejected; so an outage
 * leaves at most one unconfirmed token for each request under way at its start, and one for each probe.
 *
 * A single run is never rejected: it waits at least as long as the circuit breaker does.
 */
export function createCircuitBreaker(credentialName: string, backoff: Backoff) {
  /** Failures in a row. The circuit is open while there is one. */
  let failures = 0;
  let lastFailure: Pick<AtlasOutcome, 'message' | 'details'> = { message: '', details: {} };
  /** A time of the clock of `performance`, which nobody sets. */
  let nextProbeAtMs = 0;
  let isProbing = false;

  const remainingMs = () => Math.max(0, Math.ceil(nextProbeAtMs - performance.now()));

  function describe(): string | null {
    if (failures === 0) return null;
    const waitMs = remainingMs();
    const when =
      waitMs > 0
        ? `no link-token request with credential ${credentialName} until ${new Date(Date.now() + waitMs).toISOString()}`
        : `one link-token request at a time with credential ${credentialName}, which tests whether Atlas responds`;
    return `this worker sends ${when}, after this error: ${lastFailure.message}`;
  }

  function recordFailure(outcome: AtlasOutcome, isProbe: boolean): void {
    if (opensCircuit(outcome)) {
      // Requests that were under way together fail once.
      if (isProbe || failures === 0) failures += 1;
      lastFailure = outcome;
      const requestedMs = Math.min(outcome.retryAfterMs ?? 0, MAX_REQUESTED_WAIT_MS);
      const pauseMs = Math.max(requestedMs, leastRetryDelayMs(backoff, failures));
      nextProbeAtMs = Math.max(nextProbeAtMs, performance.now() + pauseMs);
    } else if (isProbe && outcome.details.status !== undefined) {
      failures = 0;
    }
  }

  return {
    /** Returns what holds link-token requests back, and until when, in a clause; null while the circuit is closed. */
    describe,

    /**
     * Sends a request, or throws at once: it never waits.
     *
     * @throws AtlasError while the circuit is open, and whatever the request throws.
     */
    async send<T>(request: () => Promise<T>): Promise<T> {
      const isProbe = failures > 0;
      if (isProbe && (isProbing || remainingMs() > 0)) {
        throw notSentError(`not sent: ${describe() ?? ''}`, {
          details: lastFailure.details,
          retryAfterMs: remainingMs() || undefined,
          attempt: failures,
        });
      }
      isProbing ||= isProbe;
      try {
        const response = await request();
        if (isProbe) failures = 0;
        return response;
      } catch (error) {
        // Any other error shows nothing about Atlas: the request was stopped, or a secret could not be read.
        if (error instanceof AtlasError) recordFailure(error.outcome, isProbe);
        throw error;
      } finally {
        if (isProbe) isProbing = false;
      }
    },
  };
}

/** Says whether the next request is likely to fail, too, and possibly to leave another unconfirmed token. */
function opensCircuit({ retryable, tokenMayExist, details, retryAfterMs }: AtlasOutcome): boolean {
  const { status } = details;
  if (!retryable) return false;
  // No complete response arrived.
  if (status === undefined) return true;
  if (status === TOO_MANY_REQUESTS) return retryAfterMs !== undefined;
  return tokenMayExist || status >= 500;
}
