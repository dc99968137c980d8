import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  TimeoutFailure,
  isCancellation,
  log,
  sleep,
} from '@temporalio/workflow';
import type { CreationFailureDetails, ValidatedRequest } from '../contract/activities';
import { gaveUp } from '../contract/gave-up';
import { TOKEN_UNCONFIRMED } from '../contract/names';
import { retryDelayMs } from '../contract/retry-delay';
import type { SealedToken } from '../contract/schemas';
import { cancelled } from './cancelled';
import { causeOf, failureOf, isRunFailureType, messageAndDetails, requestedWaitMs } from './failures';
import type { Progress } from './progress';
import { creation } from './proxies';

/**
 * Creates a token, and counts the attempts that may have created another: the call is not idempotent. Temporal retries
 * what created nothing; every other failure comes back here, is counted, and is followed by a new activity.
 *
 * @throws ApplicationFailure that ends the run, or CancelledFailure when nothing can have been created.
 */
export async function createToken(progress: Progress, valid: ValidatedRequest): Promise<SealedToken> {
  const { request, create: plan } = valid;
  const { orgId, sourceOrgId, credential, accessListIps } = request;
  const target = sourceOrgId ? `${orgId} for source organization ${sourceOrgId}` : orgId;
  const deadlineAtMs = Date.now() + plan.giveUpAfterMs;
  const giveUp = (cause: unknown) => {
    const { message, details } = messageAndDetails(cause);
    const { unconfirmedTokens } = progress.status;
    return failureOf('AtlasUnavailable', gaveUp(message), {
      ...publicDetails(details),
      unconfirmedTokens,
    });
  };

  let cause: unknown;
  for (let tries = 1; ; tries += 1) {
    const previousCause = cause;
    // The timer may fire late, when no worker was running.
    const startedAfterDeadline = Date.now() >= deadlineAtMs;
    if (tries > 1 && startedAfterDeadline && !isLost(previousCause)) throw giveUp(previousCause);
    progress.report(
      'creating',
      `creating a link-token in ${target} with credential ${credential} and an access list of length ${accessListIps.length} (try ${tries})`,
    );
    const { createLinkToken } = creation(
      plan,
      Math.max(0, deadlineAtMs - Date.now()),
      orgId,
      `create a link-token in ${target}`,
    );
    try {
      const { unconfirmedTokens } = progress.status;
      const token = await createLinkToken({ request, unconfirmedTokens, tries, deadlineAtMs });
      requireToken(token, unconfirmedTokens);
      const { deliveryId, tokenSha256 } = token;
      log.info('link-token created', {
        orgId,
        deliveryId,
        tokenSha256,
        unconfirmedTokens: token.unconfirmedTokens,
      });
      return token;
    } catch (error) {
      cause = causeOf(error);
    }

    const mayExist = tokenMayExist(cause);
    if (mayExist) progress.countUnconfirmed();
    // After the deadline an attempt sends nothing, so its own failure says less than the one before.
    if (isTerminal(cause))
      throw startedAfterDeadline && !mayExist ? giveUp(previousCause) : terminal(cause, progress);
    // Temporal retries nothing in a cancelled run, so a retryable failure comes back, too.
    if (CancellationScope.current().consideredCancelled || cause instanceof CancelledFailure) {
      throw cancelled(progress, null, []);
    }
    // Temporal retries what created nothing until the deadline, so such a failure comes back only after it, as does the
    // end of schedule-to-close, which leaves no time for another attempt.
    if (!mayExist || startedAfterDeadline || isScheduleToClose(cause)) throw giveUp(cause);

    const { message, details } = messageAndDetails(cause);
    const delayMs = retryDelayMs(plan, tries, requestedWaitMs(details));
    const nextTryAtMs = Date.now() + delayMs;
    if (nextTryAtMs >= deadlineAtMs && !isLost(cause)) throw giveUp(cause);
    progress.report('creating', `${message}; Atlas may have created a token all the same`, nextTryAtMs);
    try {
      await sleep(delayMs);
    } catch (error) {
      if (!isCancellation(error)) throw error;
      throw cancelled(progress, null, []);
    }
  }
}

/** The failures of attempts that created nothing. An attempt that ended in any other way may have created a token. */
const NOTHING_CREATED: readonly unknown[] = ['InvalidRequest', 'AtlasRequestRejected', 'AtlasUnavailable'];

function tokenMayExist(cause: unknown): boolean {
  if (cause instanceof ApplicationFailure) {
    if (NOTHING_CREATED.includes(cause.type)) return false;
    return (messageAndDetails(cause).details as CreationFailureDetails).tokenMayExist !== false;
  }
  // Whoever may complete activities in the namespace can cancel this one while its request is in progress.
  return !(cause instanceof CancelledFailure && CancellationScope.current().consideredCancelled);
}

/** Whoever may complete activities in the namespace can complete this one with anything. */
function requireToken(token: Partial<SealedToken> | null | undefined, countBefore: number): void {
  const { jwe, orgId, deliveryId, tokenSha256, createdAt, unconfirmedTokens = NaN } = token ?? {};
  const isWhole = [jwe, orgId, deliveryId, tokenSha256, createdAt].every((text) => typeof text === 'string');
  // A worker that finds the token of a lost attempt returns the count before that attempt.
  if (isWhole && unconfirmedTokens >= 0 && [countBefore, countBefore - 1].includes(unconfirmedTokens)) return;
  throw ApplicationFailure.nonRetryable(
    'somebody other than a worker completed the creation, without a sealed token: if Atlas created a token, remove it there, then start again',
    'TokenLost',
  );
}

/**
 * An attempt whose worker reported nothing. That worker may hold its token, so one more attempt follows even after the
 * deadline. It sends nothing; it only looks for that token.
 */
function isLost(cause: unknown): boolean {
  return cause instanceof TimeoutFailure;
}

/** Schedule-to-close ends at the deadline plus one attempt. */
function isScheduleToClose(cause: unknown): boolean {
  return cause instanceof TimeoutFailure && cause.timeoutType === 'SCHEDULE_TO_CLOSE';
}

function isTerminal(cause: unknown): cause is ApplicationFailure {
  return (
    cause instanceof ApplicationFailure && cause.nonRetryable === true && cause.type !== TOKEN_UNCONFIRMED
  );
}

function terminal(cause: ApplicationFailure, { status }: Progress): ApplicationFailure {
  const type = isRunFailureType(cause.type) ? cause.type : 'AtlasUnavailable';
  const { unconfirmedTokens } = status;
  return failureOf(type, cause.message, {
    ...publicDetails(messageAndDetails(cause).details),
    unconfirmedTokens,
  });
}

/** Without what only the workflow needs. */
function publicDetails({ retryAfterMs: _, tokenMayExist: __, ...details }: CreationFailureDetails): object {
  return details;
}
