import { sleep } from '@temporalio/workflow';
import type { FailureType } from '../contract/failure-types';
import type { SealedToken } from '../contract/schemas';
import type { RunPlan } from '../shared/activities';
import { formatGaveUp } from '../shared/application-failure';
import { describePair } from '../shared/text';
import { proxyCreateLinkToken } from './activity-proxies';
import { settle, type ParsedFailure } from './activity-results';
import { cancellationFailure, isCancelled } from './cancellation';
import { decideCreation } from './decisions';
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
  status: RunStatus,
  { request, retries }: RunPlan,
  deadlineAtMs: number,
): Promise<SealedToken> {
  let previous: ParsedFailure | null = null;
  for (let activityNumber = 1; ; activityNumber += 1) {
    const startedAtMs = Date.now();
    // The pause may end late, when no worker was running.
    if (previous && startedAtMs >= deadlineAtMs) throw gaveUp(status, previous, deadlineAtMs);
    const { unconfirmedTokens } = status.current;
    const remainingMs = Math.max(0, deadlineAtMs - startedAtMs);
    const summary = `create a link-token in ${describePair(request)}`;
    const createLinkToken = proxyCreateLinkToken(retries, remainingMs, request.orgId, summary);
    status.showCreating(request);
    const input = { request, unconfirmedTokens, activityNumber, deadlineAtMs };
    const outcome = await settle(createLinkToken(input), 'jwe', COMPLETED_BY_HAND);
    if ('result' in outcome) return outcome.result;

    const { failure } = outcome;
    // The activity ends as cancelled only if its run was cancelled before the request was sent.
    const endedUnsent = failure.how === 'cancelled' && isCancelled();
    if (failure.tokenMayExist && !endedUnsent) status.countUnconfirmed(failure);
    const situation = {
      activityNumber,
      isCancelled: isCancelled(),
      nowMs: Date.now(),
      deadlineAtMs,
    };
    const decision = decideCreation(failure, situation, retries);
    if (decision.next === 'fail') throw runFailure(status, decision.type, failure.message, failure);
    if (decision.next === 'giveUp') throw gaveUp(status, failure, deadlineAtMs);
    if (decision.next === 'cancelled') throw cancellationFailure(status.current, null, []);
    await pause(status, failure, decision.waitMs);
    previous = failure;
  }
}

function gaveUp(status: RunStatus, failure: ParsedFailure, deadlineAtMs: number) {
  const isEarly = Date.now() < deadlineAtMs;
  const why = isEarly ? 'the retry deadline passes before the next attempt' : undefined;
  return runFailure(status, 'AtlasUnavailable', formatGaveUp(failure.message, why), failure);
}

function runFailure(
  status: RunStatus,
  type: FailureType,
  message: string,
  { details }: ParsedFailure,
) {
  const { unconfirmedTokens } = status.current;
  const text = unconfirmedTokens > 0 ? `${message}; ${DO_NOT_RESET}` : message;
  return createFailure(type, text, { ...details, unconfirmedTokens });
}

/** @throws the ending of a cancelled run. */
async function pause(status: RunStatus, failure: ParsedFailure, waitMs: number): Promise<void> {
  status.showWaitingToCreate(failure, Date.now() + waitMs);
  try {
    await sleep(waitMs, { summary: 'pause before the next attempt to create' });
  } catch {
    throw cancellationFailure(status.current, null, []);
  }
}
