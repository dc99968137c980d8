import type { Config } from './config';
import type { ActivityPlan } from './contract/names';

/** At most so many requests make one attempt: access token, POST, and both again after a 401, or three challenges. */
const MAX_REQUESTS_AN_ATTEMPT = 4;

const MARGIN_MS = 10_000;

/** Enough for a sink that waits for another system to have taken the token. */
const DELIVER_ATTEMPT_TIMEOUT_MS = 5 * 60_000;

/** How the activities are retried, and how long an attempt may take: longer than the longest that ends by itself. */
export function attemptPlans({ atlas, retries }: Config): { create: ActivityPlan; deliver: ActivityPlan } {
  return {
    create: {
      ...retries.create,
      attemptTimeoutMs: MAX_REQUESTS_AN_ATTEMPT * atlas.requestTimeoutMs + MARGIN_MS,
    },
    deliver: { ...retries.deliver, attemptTimeoutMs: DELIVER_ATTEMPT_TIMEOUT_MS },
  };
}

/** How long a draining worker lets its attempts go on before it cancels them: no POST in flight is ever cut off. */
export function shutdownGraceMs(config: Config): number {
  return attemptPlans(config).create.attemptTimeoutMs;
}
