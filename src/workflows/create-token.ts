import { sleep } from '@temporalio/workflow';
import type { ValidatedRequest } from '../shared/activities';
import { formatGaveUp } from '../shared/application-failure';
import { proxyCreateLinkToken } from './activity-proxies';
import { parseToken, settle, type ParsedFailure, type RunToken } from './activity-results';
import { cancellationFailure, isCancelled } from './cancellation';
import { decideCreation, isTooLate } from './decisions';
import { DO_NOT_RESET, createFailure } from './run-failures';
import type { RunStatus } from './run-status';
import { describePair } from './run-texts';

const COMPLETED_BY_OTHER_CLIENT = {
  type: 'TokenLost',
  message:
    'the creation was completed without a sealed token of this request, by somebody other than a worker: ' +
    'if Atlas created a token, delete its API key there, then start again',
};

/**
 * Creates a token. Temporal retries an attempt that created nothing. After one that may have created a token this
 * counts one, waits, and schedules a new activity, unless the failure is final or no time is left.
 *
 * @throws ApplicationFailure that ends the run, or CancelledFailure when nothing can have been created.
 */
export async function createToken(
  status: RunStatus,
  { request, retries: { create: retries } }: ValidatedRequest,
  deadlineAtMs: number,
): Promise<RunToken> {
  const fail = (type: string, message: string, { details }: ParsedFailure) => {
    const { unconfirmedTokens } = status.current;
    const text = unconfirmedTokens > 0 ? `${message}; ${DO_NOT_RESET}` : message;
    return createFailure(type, text, { ...details, unconfirmedTokens });
  };
  const giveUp = (because: ParsedFailure) => fail('AtlasUnavailable', formatGaveUp(because.message), because);
  const cancelled = () => cancellationFailure(status.current, null, []);

  const runActivity = (activityNumber: number) => {
    const { unconfirmedTokens } = status.current;
    status.showCreating(request, activityNumber);
    const remainingMs = Math.max(0, deadlineAtMs - Date.now());
    const summary = `create a link-token in ${describePair(request)}`;
    const createLinkToken = proxyCreateLinkToken(retries, remainingMs, request.orgId, summary);
    return settle(
      createLinkToken({ request, unconfirmedTokens, activityNumber, deadlineAtMs }),
      (result) => parseToken(result, request, unconfirmedTokens),
      COMPLETED_BY_OTHER_CLIENT,
    );
  };
  const wait = (failure: ParsedFailure, waitMs: number) => {
    status.showWaitingToCreate(failure, Date.now() + waitMs);
    return sleep(waitMs, { summary: 'pause before the next attempt to create' }).catch(() => {
      throw cancelled();
    });
  };

  let previous: ParsedFailure | null = null;
  for (let activityNumber = 1; ; activityNumber += 1) {
    const startedLate = Date.now() >= deadlineAtMs;
    // The timer may fire late, when no worker was running.
    if (previous && isTooLate(previous, Date.now(), deadlineAtMs)) throw giveUp(previous);
    const outcome = await runActivity(activityNumber);
    if ('result' in outcome) return outcome.result;

    const { failure } = outcome;
    // A run that is cancelled before its request is sent gets the cancellation of the activity.
    if (failure.tokenMayExist && !(failure.how === 'cancelled' && isCancelled())) status.countUnconfirmed();
    const moment = { isCancelled: isCancelled(), nowMs: Date.now(), deadlineAtMs };
    const decision = decideCreation(failure, { activityNumber, startedLate, previous, ...moment }, retries);
    if (decision.next === 'fail') throw fail(decision.type, failure.message, failure);
    if (decision.next === 'giveUp') throw giveUp(decision.because);
    if (decision.next === 'cancelled') throw cancelled();
    await wait(failure, decision.waitMs);
    previous = failure;
  }
}
