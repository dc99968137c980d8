import { ActivityCancellationType, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities, ActivityPlan, SealedToken } from '../contract/names';

/** Pure and quick. A bug in it must not be retried unseen for ever. */
export function validation(summary: string): Pick<Activities, 'validateRequest' | 'validateRedelivery'> {
  return proxyLocalActivities<Activities>({
    startToCloseTimeout: '5s',
    retry: { maximumAttempts: 3 },
    summary,
  });
}

/** Cancellation waits for the answer of a POST that was written, so that the token it brings is kept. */
export function creation(plan: ActivityPlan, summary: string): Pick<Activities, 'createLinkToken'> {
  return proxyActivities<Activities>({
    ...timing(plan),
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });
}

/** Cancellation waits until the sink has stopped, so that the run's end tells whether the token was delivered. */
export function delivery(
  plan: ActivityPlan,
  { deliveryId }: SealedToken,
  sink: string,
): Pick<Activities, 'deliverLinkToken'> {
  return proxyActivities<Activities>({
    ...timing(plan),
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary: `hand token ${deliveryId} to sink ${sink}`,
  });
}

/** The activities set the time of each retry themselves, with jitter; this policy is what they compute it from. */
function timing(plan: ActivityPlan) {
  return {
    startToCloseTimeout: plan.attemptTimeoutMs,
    scheduleToCloseTimeout: plan.giveUpAfterMs,
    heartbeatTimeout: '10s',
    retry: {
      initialInterval: plan.initialIntervalMs,
      backoffCoefficient: plan.backoffCoefficient,
      maximumInterval: plan.maximumIntervalMs,
    },
  } as const;
}
