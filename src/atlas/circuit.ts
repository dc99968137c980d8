import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  DelegateBackoff,
  circuitBreaker,
  handleWhen,
} from 'cockatiel';
import type { Backoff } from '../contract/activities';
import { leastRetryDelayMs } from '../contract/retry-delay';
import { AtlasCircuitOpenError, AtlasConnectionError, AtlasResponseError } from './errors';
import { classifyAtlasError } from './outcomes';

const TOO_MANY_REQUESTS = 429;

/**
 * Sends a request, or throws AtlasCircuitOpenError at once: it never waits.
 *
 * @throws also whatever the request throws.
 */
type Circuit = <T>(request: () => Promise<T>) => Promise<T>;

/**
 * The circuit breaker of one credential, in this process only. The first failure of Atlas opens it. From then on one
 * request at a time probes, at the pace of a single run that is retried, and all others are rejected; so an outage
 * leaves at most one unconfirmed token for each request under way at its start, and one for each probe. A `Retry-After`
 * is never shortened.
 *
 * A single run is never rejected: it waits at least as long as the circuit breaker does.
 */
export function createCircuit(credentialName: string, backoff: Backoff): Circuit {
  let failure = { message: '', details: {} };
  let untilMs = 0;
  let openMs = 0;
  let failures = 0;
  const rejection = () => new AtlasCircuitOpenError(credentialName, failure, untilMs, failures);

  const halfOpenAfter = new DelegateBackoff<{ attempt: number; result: object }>(({ attempt, result }) => {
    const error = 'error' in result ? result.error : null;
    const { message, details, retryAfterMs = 0 } = classifyAtlasError(error, 'linkTokens');
    if (opens(error)) failure = { message, details };
    openMs = Math.max(retryAfterMs, leastRetryDelayMs(backoff, attempt));
    untilMs = Date.now() + openMs;
    failures = attempt;
    return openMs;
  });
  const createBreaker = (): CircuitBreakerPolicy =>
    circuitBreaker(
      // A probe that got no response has shown nothing, so the circuit stays open.
      handleWhen((error) => opens(error) || (isOpen() && !(error instanceof AtlasResponseError))),
      { breaker: new ConsecutiveBreaker(1), halfOpenAfter },
    );
  let breaker = createBreaker();
  const isOpen = () => breaker.state !== CircuitState.Closed;

  return async (request) => {
    // The clock was set back, and cockatiel would stay open until it has caught up.
    if (isOpen() && untilMs - Date.now() > openMs) breaker = createBreaker();
    // Here cockatiel would let the request wait for the probe.
    if (breaker.state === CircuitState.HalfOpen) throw rejection();
    return breaker.execute(request).catch((error: unknown) => {
      throw error instanceof BrokenCircuitError ? rejection() : error;
    });
  };
}

/** Whether the next request is likely to fail, too, and possibly to leave another unconfirmed token. */
function opens(error: unknown): boolean {
  const { retryable, tokenMayExist, retryAfterMs } = classifyAtlasError(error, 'linkTokens');
  if (!retryable) return false;
  if (error instanceof AtlasConnectionError) return true;
  if (!(error instanceof AtlasResponseError)) return false;
  if (error.status === TOO_MANY_REQUESTS) return retryAfterMs !== undefined;
  return tokenMayExist || error.status >= 500;
}
