import {
  ActivityCancellationType,
  proxyActivities,
  proxyLocalActivities,
  type RetryPolicy,
} from '@temporalio/workflow';
import type { Activities, AttemptTimeouts, Backoff, Retries } from '../shared/activities';
import { BACKOFF_COEFFICIENT } from '../shared/retry-delay';

/** Pure and quick. A bug in it must not be retried unseen for ever. */
export const { validateRequest } = proxyLocalActivities<Activities>({
  startToCloseTimeout: '5s',
  retry: { maximumAttempts: 3 },
  summary: 'validate the request',
});

/**
 * Retries wait on a timer of the server, so a list that does not respond holds no workflow task.
 * They are counted, and come every half minute after the first four: Core measures the time of a
 * local activity by the clock of its worker.
 */
export function proxyFindToken({ giveUpAfterMs }: Retries): Activities['findToken'] {
  const maximumAttempts = 4 + Math.ceil(giveUpAfterMs / 30_000);
  return proxyLocalActivities<Activities>({
    startToCloseTimeout: '10s',
    retry: { initialInterval: '2s', maximumInterval: '30s', maximumAttempts },
    localRetryThreshold: '1s',
    summary: 'look for an earlier token',
  }).findToken;
}

/**
 * Three attempts within a minute, so that a brief error of Atlas or of a sink blocks no rollout.
 */
export const { runChecks } = proxyActivities<Activities>({
  startToCloseTimeout: '15s',
  scheduleToCloseTimeout: '60s',
  retry: { initialInterval: '5s', backoffCoefficient: 2, maximumAttempts: 3 },
  summary: 'check the worker; nothing is created',
});

/** Long enough for a brief outage and for the slowest attempt. */
export const { checkLink } = proxyActivities<Activities>({
  startToCloseTimeout: '30m',
  heartbeatTimeout: '30s',
  scheduleToCloseTimeout: '1h',
  retry: { initialInterval: '1s', maximumInterval: '1m' },
  // Otherwise a cancelled run would end before its attempt, whose heartbeats Temporal then refuses:
  // an alert counts these.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  summary: 'check the link',
});

/** An attempt that vanished may have created a token, so it comes back to the workflow. */
export function proxyCreateLinkToken(
  retries: Retries,
  remainingMs: number,
  orgId: string,
  summary: string,
): Activities['createLinkToken'] {
  const retry = {
    ...retryPolicy(retries),
    // The server's names for these timeouts.
    nonRetryableErrorTypes: ['TemporalTimeout:StartToClose', 'TemporalTimeout:Heartbeat'],
  };
  return proxyAttempts(retries.create, remainingMs, retry, { orgId, summary }).createLinkToken;
}

/**
 * The first failure that an attempt reports is final, since a round of length 0 leaves no time for
 * a retry. An attempt that was lost or stopped is repeated once: if the sink has the token already,
 * it recognizes the delivery id.
 */
const ONE_REPORTED_ATTEMPT: RetryPolicy = { maximumAttempts: 2 };

/** @param once one attempt: someone requested it now, or the run is being cancelled. */
export function proxyDeliverLinkToken(
  retries: Retries,
  once: boolean,
  orgId: string,
  summary: string,
): Activities['deliverLinkToken'] {
  const roundMs = once ? 0 : retries.roundMs;
  const retry = once ? ONE_REPORTED_ATTEMPT : retryPolicy(retries);
  return proxyAttempts(retries.deliver, roundMs, retry, { orgId, summary }).deliverLinkToken;
}

/**
 * An attempt that reports its failure sets the next delay itself, with jitter. This policy is for
 * attempts that report nothing.
 */
function retryPolicy({ initialIntervalMs, maximumIntervalMs }: Backoff): RetryPolicy {
  return {
    initialInterval: initialIntervalMs,
    backoffCoefficient: BACKOFF_COEFFICIENT,
    maximumInterval: maximumIntervalMs,
  };
}

/**
 * @param durationMs time in which an attempt that failed is repeated. Schedule-to-close is longer
 *   by the time of one attempt.
 */
function proxyAttempts(
  { attemptTimeoutMs, heartbeatTimeoutMs }: AttemptTimeouts,
  durationMs: number,
  retry: RetryPolicy,
  { orgId, summary }: { orgId: string; summary: string },
) {
  return proxyActivities<Activities>({
    startToCloseTimeout: attemptTimeoutMs,
    heartbeatTimeout: heartbeatTimeoutMs,
    scheduleToCloseTimeout: durationMs + attemptTimeoutMs,
    retry,
    // The result of a cancelled attempt says what was created or delivered.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    // On a server that has fairness, the queued tasks of one organization do not delay those of
    // another.
    priority: { fairnessKey: orgId },
    summary,
  });
}
