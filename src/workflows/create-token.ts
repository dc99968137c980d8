import { ActivityCancellationType, proxyActivities, sleep } from '@temporalio/workflow';
import type { SealedToken } from '../contract/schemas';
import type { Activities, CreateInput, RunPlan } from '../shared/activities';
import type { AttemptFailure } from '../shared/attempt-failure';
import { retryDelayMs, retryPolicy } from '../shared/retry-delay';
import { describePair } from '../shared/text';
import { cancellationFailure, creationFailed, creationGaveUp, isCancelled } from './endings';
import { revokeLost } from './revoke-token';
import type { RunStatus } from './run-status';
import { settle } from './settle';

/**
 * Creates a token. Temporal retries an attempt that created nothing. After one that may have
 * created a token this counts one, waits, and schedules a new activity, unless the failure is
 * permanent or no time is left.
 *
 * @throws ApplicationFailure that ends the run, or CancelledFailure when nothing can have been
 *   created.
 */
export async function createToken(
  plan: RunPlan,
  deadlineAtMs: number,
  status: RunStatus,
): Promise<SealedToken> {
  const { request, retries } = plan;
  for (let activityNumber = 1; ; activityNumber += 1) {
    const { unconfirmedTokens } = status.current;
    const remainingMs = deadlineAtMs - Date.now();
    status.showCreating(request);
    const input = { request, unconfirmedTokens, activityNumber };
    const outcome = await settle(create(plan, input, remainingMs), 'jwe');
    if ('result' in outcome) return outcome.result;

    const { failure, wasCancelled } = outcome;
    // Temporal ends as cancelled an activity of which no attempt is under way.
    if (wasCancelled) throw cancellationFailure(status.current, null);
    const { publicApiKey } = failure.details;
    if (failure.type === 'TokenLost' && publicApiKey) {
      throw await revokeLost(request.orgId, publicApiKey, failure, status);
    }
    if (failure.tokenMayExist) status.countUnconfirmed(failure.message);

    const gaveUp = () => creationGaveUp(failure, deadlineAtMs, status.current);
    if (failure.permanent) throw creationFailed(failure, status.current);
    if (isCancelled()) throw cancellationFailure(status.current, null);
    // Temporal repeats an attempt that created nothing until its delay would pass the deadline.
    if (!failure.tokenMayExist) throw gaveUp();
    // The wait counts activities only. If attempts within an activity opened the circuit breaker of
    // a worker, that may hold the next request back for longer.
    const waitMs = retryDelayMs(retries, activityNumber, failure.retryAfterMs);
    if (Date.now() + waitMs >= deadlineAtMs) throw gaveUp();
    await pause(waitMs, failure, status);
    // The pause may end late, when no worker was running.
    if (Date.now() >= deadlineAtMs) throw gaveUp();
  }
}

function create(
  { request, retries }: RunPlan,
  input: CreateInput,
  remainingMs: number,
): Promise<SealedToken> {
  const { attemptTimeoutMs, heartbeatTimeoutMs } = retries.create;
  const { createLinkToken } = proxyActivities<Activities>({
    startToCloseTimeout: attemptTimeoutMs,
    heartbeatTimeout: heartbeatTimeoutMs,
    // An attempt may begin until the deadline.
    scheduleToCloseTimeout: remainingMs + attemptTimeoutMs,
    retry: {
      ...retryPolicy(retries),
      // An attempt that vanished may have created a token, so it comes back to the workflow. These
      // are the server's names for its timeouts.
      nonRetryableErrorTypes: ['TemporalTimeout:StartToClose', 'TemporalTimeout:Heartbeat'],
    },
    // The result of a cancelled attempt says what was created.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    // On a server that has fairness, the queued tasks of one organization do not delay those of
    // another.
    priority: { fairnessKey: request.orgId },
    summary: `create a link-token in ${describePair(request)}`,
  });
  return createLinkToken(input);
}

/** @throws the ending of a cancelled run. */
async function pause(
  waitMs: number,
  { message }: AttemptFailure,
  status: RunStatus,
): Promise<void> {
  status.showWaitingToCreate(message, Date.now() + waitMs);
  await sleep(waitMs, { summary: 'pause before the next attempt to create' }).catch(
    () => undefined,
  );
  // Also if the pause ended in the workflow task that brings the cancel.
  if (isCancelled()) throw cancellationFailure(status.current, null);
}
