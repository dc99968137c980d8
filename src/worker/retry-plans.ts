import type { CreatePlan, DeliverPlan } from '../contract/activities';

/** Most requests that one attempt can make: access token, POST, and both again after a 401; or three challenges. */
const MAX_REQUESTS_PER_ATTEMPT = 4;

const MARGIN_MS = 10_000;

/** Enough for a sink that waits until another system has accepted the token. */
const DELIVER_ATTEMPT_TIMEOUT_MS = 5 * 60_000;

export function retryPlans(settings: {
  retries: {
    create: Omit<CreatePlan, 'attemptTimeoutMs' | 'heartbeatTimeoutMs'>;
    deliver: Omit<DeliverPlan, 'attemptTimeoutMs' | 'heartbeatTimeoutMs'>;
  };
  heartbeatTimeoutMs: number;
  /** Of one request to Atlas. */
  requestTimeoutMs: number;
}): { create: CreatePlan; deliver: DeliverPlan } {
  const { retries, requestTimeoutMs, heartbeatTimeoutMs } = settings;
  return {
    create: {
      ...retries.create,
      heartbeatTimeoutMs,
      attemptTimeoutMs: MAX_REQUESTS_PER_ATTEMPT * requestTimeoutMs + MARGIN_MS,
    },
    deliver: { ...retries.deliver, heartbeatTimeoutMs, attemptTimeoutMs: DELIVER_ATTEMPT_TIMEOUT_MS },
  };
}
