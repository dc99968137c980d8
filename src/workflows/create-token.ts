import { sleep } from '@temporalio/workflow';
import { isRunFailureType, type FailureType } from '../contract/failure-types';
import type { SealedToken } from '../contract/schemas';
import type { RunPlan } from '../shared/activities';
import { formatGaveUp } from '../shared/application-failure';
import { retryDelayMs } from '../shared/retry-delay';
import { describePair } from '../shared/text';
import { proxyCreateLinkToken } from './activity-proxies';
import { settle, type ParsedFailure } from './activity-results';
import { cancellationFailure, isCancelled } from './cancellation';
import { DO_NOT_RESET, createFailure } from './run-failures';
import type { RunStatus } from './run-status';

const COMPLETED_BY_HAND = {
  type: 'TokenLost',
  message:
    'the creation was completed without a sealed token, by somebody other than a worker: ' +
    'if Atlas created a token, delete its API key there, then start again',
};

/**
 * Creates a token. Temporal retries an attempt that created nothing. After one that may have
 * created a token this counts one, waits, and schedules a new activity, unless the failure is final
 * or no time is left.
 *
 * @throws ApplicationFailure that ends the run, or CancelledFailure when nothing can have been
 *   created.
 */
export async function createToken(
  { request, retries }: RunPlan,
  deadlineAtMs: number,
  status: RunStatus,
): Promise<SealedToken> {
  const summary = `create a link-token in ${describePair(request)}`;
  for (let activityNumber = 1; ; activityNumber += 1) {
    const { unconfirmedTokens } = status.current;
    const remainingMs = deadlineAtMs - Date.now();
    const createLinkToken = proxyCreateLinkToken(retries, remainingMs, request.orgId, summary);
    status.showCreating(request);
    const input = { request, unconfirmedTokens, activityNumber, deadlineAtMs };
    const outcome = await settle(createLinkToken(input), 'jwe', COMPLETED_BY_HAND);
    if ('result' in outcome) return outcome.result;

    const { failure } = outcome;
    const wasCancelled = failure.how === 'cancelled';
    // The activity ends as cancelled only if its run was cancelled before the request was sent.
    const isUnsent = wasCancelled && isCancelled();
    if (failure.tokenMayExist && !isUnsent) status.countUnconfirmed(failure.message);

    if (!failure.runMayRetry) throw finalFailure(failure, status);
    if (isCancelled() || wasCancelled) throw cancellationFailure(status.current, null, []);
    // Temporal repeats an attempt that created nothing until its delay would pass the deadline.
    if (!failure.tokenMayExist || failure.how === 'scheduleToClose') {
      throw gaveUp(failure, deadlineAtMs, status);
    }
    // The wait counts activities only. If attempts within an activity opened the circuit breaker of
    // a worker, that may hold the next request back for longer.
    const waitMs = retryDelayMs(retries, activityNumber, failure.retryAfterMs);
    if (Date.now() + waitMs >= deadlineAtMs) throw gaveUp(failure, deadlineAtMs, status);
    await pause(waitMs, failure, status);
    // The pause may end late, when no worker was running.
    if (Date.now() >= deadlineAtMs) throw gaveUp(failure, deadlineAtMs, status);
  }
}

/** @throws the ending of a cancelled run. */
async function pause(waitMs: number, { message }: ParsedFailure, status: RunStatus): Promise<void> {
  status.showWaitingToCreate(message, Date.now() + waitMs);
  try {
    await sleep(waitMs, { summary: 'pause before the next attempt to create' });
  } catch {
    throw cancellationFailure(status.current, null, []);
  }
}

function finalFailure(failure: ParsedFailure, status: RunStatus) {
  const { type, message } = failure;
  return runFailure(isRunFailureType(type) ? type : 'AtlasUnavailable', message, failure, status);
}

function gaveUp(failure: ParsedFailure, deadlineAtMs: number, status: RunStatus) {
  const isEarly = Date.now() < deadlineAtMs;
  const why = isEarly ? 'the retry deadline passes before the next attempt' : undefined;
  return runFailure('AtlasUnavailable', formatGaveUp(failure.message, why), failure, status);
}

function runFailure(
  type: FailureType,
  message: string,
  { details }: ParsedFailure,
  { current: { unconfirmedTokens } }: RunStatus,
) {
  const text = unconfirmedTokens > 0 ? `${message}; ${DO_NOT_RESET}` : message;
  return createFailure(type, text, { ...details, unconfirmedTokens });
}
