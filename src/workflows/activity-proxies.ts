import {
  ActivityCancellationType,
  proxyActivities,
  proxyLocalActivities,
  type RetryPolicy,
} from '@temporalio/workflow';
import type { Activities, ActivityRetries, CreateRetries, DeliverRetries } from '../shared/activities';

/** Pure and quick. A bug in it must not be retried unseen for ever. */
export const { validateRequest } = proxyLocalActivities<Activities>({
  startToCloseTimeout: '5s',
  retry: { maximumAttempts: 3 },
  summary: 'validate the request',
});

/** A retry waits with a timer of the server: a list that does not respond holds no workflow task. */
export const { findToken } = proxyLocalActivities<Activities>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '2s', maximumInterval: '30s' },
  localRetryThreshold: '1s',
  summary: 'look for an earlier token',
});

/** Three attempts within a minute, so that a brief error of Atlas or of a sink blocks no rollout. */
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
  // Temporal would refuse the heartbeats of an attempt that nobody waits for, as those of a terminated run.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  summary: 'check the link',
});

/** An attempt that vanished may have created a token, so it comes back to the workflow. */
export function proxyCreateLinkToken(
  retries: CreateRetries,
  remainingMs: number,
  orgId: string,
  summary: string,
): Activities['createLinkToken'] {
  // The server's names for these timeouts.
  const nonRetryableErrorTypes = ['TemporalTimeout:StartToClose', 'TemporalTimeout:Heartbeat'];
  return proxyAttempts(retries, remainingMs, { nonRetryableErrorTypes }, { orgId, summary }).createLinkToken;
}

/** @param once one attempt: someone requested it now, or the run is being cancelled. */
export function proxyDeliverLinkToken(
  retries: DeliverRetries,
  once: boolean,
  orgId: string,
  summary: string,
): Activities['deliverLinkToken'] {
  const retry = once ? { maximumAttempts: 1 } : {};
  return proxyAttempts(retries, once ? 0 : retries.roundMs, retry, { orgId, summary }).deliverLinkToken;
}

/** @param durationMs time in which attempts start; the last one may take its whole time beyond it. */
function proxyAttempts(
  retries: ActivityRetries,
  durationMs: number,
  retry: RetryPolicy,
  { orgId, summary }: { orgId: string; summary: string },
) {
  return proxyActivities<Activities>({
    startToCloseTimeout: retries.attemptTimeoutMs,
    heartbeatTimeout: retries.heartbeatTimeoutMs,
    scheduleToCloseTimeout: durationMs + retries.attemptTimeoutMs,
    // An attempt that reports its failure sets the next delay itself, with jitter. This is for the others.
    retry: {
      initialInterval: retries.initialIntervalMs,
      backoffCoefficient: retries.backoffCoefficient,
      maximumInterval: retries.maximumIntervalMs,
      ...retry,
    },
    // The result of a cancelled attempt says what was created or delivered.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    // On a server that has fairness, the queued tasks of one organization do not delay those of another.
    priority: { fairnessKey: orgId },
    summary,
  });
}
