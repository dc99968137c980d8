import { ActivityCancellationType, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type {
  Activities,
  CreateRetryPolicy,
  DeliverRetryPolicy,
  ActivityRetryPolicy,
} from '../shared/activities';

/** Pure and quick. A bug in it must not be retried unseen for ever. */
export function validation(): Pick<Activities, 'validateRequest'> {
  return proxyLocalActivities<Activities>({
    startToCloseTimeout: '5s',
    retry: { maximumAttempts: 3 },
    summary: 'check the request',
  });
}

/**
 * Looks for an earlier token of this workflow id. A retry waits with a timer of the server, so that a list that does not
 * respond holds no workflow task. The activity decides when it gives up.
 */
export function search(): Pick<Activities, 'findToken'> {
  return proxyLocalActivities<Activities>({
    startToCloseTimeout: '10s',
    retry: { initialInterval: '2s', maximumInterval: '30s' },
    localRetryThreshold: '1s',
    summary: 'look for an earlier token',
  });
}

/** Three tries within a minute, so that a brief error of Atlas or of a sink blocks no rollout. */
export function checks(): Pick<Activities, 'runChecks'> {
  return proxyActivities<Activities>({
    startToCloseTimeout: '15s',
    scheduleToCloseTimeout: '60s',
    retry: { initialInterval: '5s', backoffCoefficient: 2, maximumAttempts: 3 },
    summary: 'check the worker; nothing is created',
  });
}

/**
 * Temporal retries only attempts that created nothing. An attempt that vanished may have created a token, so it comes
 * back to the workflow. Schedule-to-close leaves room for the last attempt: a POST under way is never abandoned.
 */
export function creation(
  policy: CreateRetryPolicy,
  remainingMs: number,
  orgId: string,
  summary: string,
): Pick<Activities, 'createLinkToken'> {
  return proxyActivities<Activities>({
    ...attempts(policy, orgId),
    scheduleToCloseTimeout: remainingMs + policy.attemptTimeoutMs,
    retry: {
      ...backoff(policy),
      // The server's names for these timeouts.
      nonRetryableErrorTypes: ['TemporalTimeout:StartToClose', 'TemporalTimeout:Heartbeat'],
    },
    summary,
  });
}

/**
 * Schedule-to-close leaves room for the last attempt of the round.
 *
 * @param once one attempt: someone requested it now, or the run is being cancelled.
 */
export function delivery(
  policy: DeliverRetryPolicy,
  once: boolean,
  orgId: string,
  summary: string,
): Pick<Activities, 'deliverLinkToken'> {
  return proxyActivities<Activities>({
    ...attempts(policy, orgId),
    scheduleToCloseTimeout: (once ? 0 : policy.roundMs) + policy.attemptTimeoutMs,
    retry: { ...backoff(policy), ...(once && { maximumAttempts: 1 }) },
    summary,
  });
}

/** Options of activities that only read: long enough for a brief outage and for the slowest attempt. */
export function repeatable(summary: string): Pick<Activities, 'checkLink'> {
  return proxyActivities<Activities>({
    startToCloseTimeout: '30m',
    heartbeatTimeout: '30s',
    scheduleToCloseTimeout: '1h',
    retry: { initialInterval: '1s', maximumInterval: '1m' },
    // A cancelled attempt is waited for. Temporal would refuse its heartbeats, as those of a terminated run.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });
}

/**
 * A cancelled attempt is waited for: its result says what was created or delivered. Where the server has fairness, the
 * queued tasks of one organization do not make those of another wait; elsewhere it ignores the key.
 */
function attempts(policy: ActivityRetryPolicy, orgId: string) {
  return {
    priority: { fairnessKey: orgId },
    startToCloseTimeout: policy.attemptTimeoutMs,
    heartbeatTimeout: policy.heartbeatTimeoutMs,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  } as const;
}

/** An attempt that reports its failure sets the next delay itself, with jitter. This policy is for the others. */
function backoff({ initialIntervalMs, backoffCoefficient, maximumIntervalMs }: ActivityRetryPolicy) {
  return { initialInterval: initialIntervalMs, backoffCoefficient, maximumInterval: maximumIntervalMs };
}
