import {
  CancellationScope,
  CancelledFailure,
  workflowInfo,
  type ApplicationFailure,
} from '@temporalio/workflow';
import { isRunFailureType, type FailureType } from '../contract/failure-types';
import { MAX_SINKS_TRIED } from '../contract/limits';
import type { FailureDetails, SealedToken, Status } from '../contract/schemas';
import { terminalFailure } from '../shared/application-failure';
import { readAttemptFailure, type AttemptFailure } from '../shared/attempt-failure';
import { deleteKeyOf, describeUnconfirmedTokens, findKeysCommand } from '../shared/command-line';
import { toObject } from '../shared/object';

/*
 * How a run ends without a receipt: the type, the message and the details of each failure.
 */

type Count = Pick<Status, 'unconfirmedTokens'>;

/**
 * Ends the message of a run that may have left a token in Atlas: the Temporal UI offers a reset of
 * every closed run.
 */
const DO_NOT_RESET = 'do not reset this run: that can create another token';

/**
 * Builds the failure of a run or of a delivery: a type, a message that stands alone, and details.
 */
export function createFailure(
  type: string,
  message: string,
  details: FailureDetails = { unconfirmedTokens: 0 },
) {
  return terminalFailure(type, message, details);
}

export function firstDetails({ details }: ApplicationFailure): object {
  return toObject(details?.[0]);
}

/**
 * Builds the failure of a run that created nothing, from that of its first activities.
 *
 * @param fallbackType used when the type of the failure is not a FailureType.
 * @param work what the worker could not do then.
 */
export function startFailure(
  error: unknown,
  fallbackType: FailureType,
  work: string,
): ApplicationFailure {
  const { type, message, details } = readAttemptFailure(error);
  if (isRunFailureType(type)) {
    return createFailure(type, message, { unconfirmedTokens: 0, ...details });
  }
  const text = `the worker could not ${work}, and created nothing: ${message}; start again`;
  return createFailure(fallbackType, text);
}

/** Builds the failure of a run whose creation failed for good. */
export function creationFailed(failure: AttemptFailure, count: Count): ApplicationFailure {
  const type = isRunFailureType(failure.type) ? failure.type : 'AtlasUnavailable';
  return creationEnded(type, failure.message, failure, count);
}

/** Builds the failure of a run that has no time left to create a token. */
export function creationGaveUp(
  failure: AttemptFailure,
  deadlineAtMs: number,
  count: Count,
): ApplicationFailure {
  const isEarly = Date.now() < deadlineAtMs;
  const why = isEarly ? 'passes before the next attempt' : 'passed';
  const message =
    `gave up: the retry deadline ${why}; last error: ${failure.message};` +
    ' start a new run once that is resolved';
  return creationEnded('AtlasUnavailable', message, failure, count);
}

function creationEnded(
  type: FailureType,
  message: string,
  { details }: AttemptFailure,
  { unconfirmedTokens }: Count,
): ApplicationFailure {
  const remains = describeUnconfirmed(unconfirmedTokens);
  const text = remains ? `${message}; ${remains}; ${DO_NOT_RESET}` : message;
  return createFailure(type, text, { ...details, unconfirmedTokens });
}

const NOTHING_CREATED = 'cancelled; no token was created';

export function isCancelled(): boolean {
  return CancellationScope.current().consideredCancelled;
}

/**
 * Builds the ending of a cancelled run: CANCELLED when nothing can be left. Otherwise FAILED with
 * type `Cancelled`, since Temporal's TypeScript SDK cannot put details on CANCELLED, and someone
 * must check what is left.
 *
 * @param token that exists and may not have arrived.
 */
export function cancellationFailure(
  { unconfirmedTokens }: Count,
  token: SealedToken | null,
  sinksTried: readonly string[],
): CancelledFailure | ApplicationFailure {
  if (unconfirmedTokens === 0 && !token) return new CancelledFailure(NOTHING_CREATED);
  const namedSinks = sinksTried.slice(0, MAX_SINKS_TRIED);
  const remains = [
    token && describeToken(token, namedSinks),
    describeUnconfirmed(unconfirmedTokens),
    DO_NOT_RESET,
  ];
  return createFailure('Cancelled', `cancelled; ${remains.filter(Boolean).join('; ')}`, {
    unconfirmedTokens,
    deliveryId: token?.deliveryId ?? null,
    publicApiKey: token?.publicApiKey ?? null,
    tokenSha256: token?.tokenSha256 ?? null,
    sinksTried: namedSinks,
  });
}

function describeUnconfirmed(count: number): string | null {
  if (count === 0) return null;
  const command = findKeysCommand(workflowInfo().workflowId);
  return `${describeUnconfirmedTokens(count)}: \`${command}\``;
}

/** Builds the ending of a run that was cancelled before it created or delivered anything. */
export function cancelledAtStart(): CancelledFailure {
  return new CancelledFailure(NOTHING_CREATED);
}

function describeToken(
  { deliveryId, publicApiKey }: SealedToken,
  sinksTried: readonly string[],
): string {
  return `token ${deliveryId} may not have arrived: ${deleteKeyOf(publicApiKey, sinksTried)}`;
}
