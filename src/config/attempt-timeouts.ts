import type { Config } from '.';
import type { Retries } from '../shared/activities';

/**
 * The most requests of one attempt: access token and POST, and both again after a 401; or, with
 * Digest, one POST and three more after challenges.
 */
const MAX_REQUESTS_PER_ATTEMPT = 4;

/** An outage of Temporal stops its timers too: an attempt may outlast its heartbeat timeout. */
const LEAST_MARGIN_MS = 60_000;

/** Allows for a sink that waits until another system has accepted the token. */
const DELIVER_ATTEMPT_TIMEOUT_MS = 5 * 60_000;

/** A delivery is idempotent, so a lost attempt is repeated soon. */
const DELIVER_HEARTBEAT_TIMEOUT_MS = 10_000;

/** Adds the timeouts of an attempt to the settings `retries`. */
export function addAttemptTimeouts({
  retries,
  atlas,
  worker,
}: Pick<Config, 'retries' | 'atlas' | 'worker'>): Retries {
  const { heartbeatTimeoutMs } = worker;
  // After its requests, an attempt may wait for Temporal.
  const marginMs = Math.max(heartbeatTimeoutMs, LEAST_MARGIN_MS);
  return {
    ...retries,
    create: {
      attemptTimeoutMs: MAX_REQUESTS_PER_ATTEMPT * atlas.requestTimeoutMs + marginMs,
      heartbeatTimeoutMs,
    },
    deliver: {
      attemptTimeoutMs: DELIVER_ATTEMPT_TIMEOUT_MS,
      heartbeatTimeoutMs: DELIVER_HEARTBEAT_TIMEOUT_MS,
    },
  };
}
