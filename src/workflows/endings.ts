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
import { describeRemedy, describeUnconfirmedTokens, findKeysCommand } from '../shared/command-line';
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
 * Builds the failure of a run that created nothing, from that of its validation.
 *
 * @param work what the workers could not do, if the failure has no type of ours.
 */
export function startFailure(error: unknown, work: string): ApplicationFailure {
  const { type, message, details } = readAttemptFailure(error);
  if (isRunFailureType(type)) {
    return createFailure(type, message, { unconfirmedTokens: 0, ...details });
  }
  const text = `the workers could not ${work}, and created nothing: ${message}; start again`;
  return createFailure('TemporalUnavailable', text);
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

/**
 * Builds the failure of a run whose worker lost the token that it had received.
 *
 * @param problem why its API key could not be deleted; null if the key is gone.
 */
export function tokenLost(
  failure: AttemptFailure,
  publicApiKey: string,
  problem: string | null,
  count: Count,
): ApplicationFailure {
  const { message, details } = failure;
  const fate =
    problem === null
      ? `its API key ${publicApiKey} is gone`
      : describeKeyLeft(publicApiKey, problem);
  const named = { ...details, publicApiKey: problem === null ? null : publicApiKey };
  return creationEnded('TokenLost', `${message}; ${fate}`, { ...failure, details: named }, count);
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

/** The token of a cancelled run. */
interface Undelivered {
  token: SealedToken;
  /** True once its API key is gone. */
  revoked?: true;
  /** The sinks that may have it. */
  sinksTried: readonly string[];
  /** Why its API key could not be deleted. */
  problem?: string;
}

/**
 * Builds the ending of a cancelled run: CANCELLED when nothing can be left. Otherwise FAILED with
 * type `Cancelled`, since Temporal's TypeScript SDK cannot put details on CANCELLED, and someone
 * must check what is left.
 */
export function cancellationFailure(
  { unconfirmedTokens }: Count,
  undelivered: Undelivered | null,
): CancelledFailure | ApplicationFailure {
  const revoked = undelivered?.revoked ? describeRevoked(undelivered) : null;
  const left = revoked ? null : undelivered;
  if (unconfirmedTokens === 0 && !left) {
    return new CancelledFailure(revoked ? `cancelled; ${revoked}` : NOTHING_CREATED);
  }
  const sinksTried = left ? undelivered?.sinksTried : [];
  const remains = [
    revoked,
    left && describeToken(left),
    describeUnconfirmed(unconfirmedTokens),
    DO_NOT_RESET,
  ];
  return createFailure('Cancelled', `cancelled; ${remains.filter(Boolean).join('; ')}`, {
    unconfirmedTokens,
    deliveryId: left?.token.deliveryId ?? null,
    publicApiKey: left?.token.publicApiKey ?? null,
    tokenSha256: left?.token.tokenSha256 ?? null,
    sinksTried: sinksTried?.slice(0, MAX_SINKS_TRIED) ?? [],
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

/** Names the sinks too: a receiver may have acted on a token that is worthless now. */
function describeRevoked({ token, sinksTried }: Undelivered): string {
  const { deliveryId, publicApiKey } = token;
  const tried = sinksTried.length > 0 ? `; it may be in sink ${sinksTried.join(', ')}` : '';
  return `token ${deliveryId} is worthless, since its API key ${publicApiKey} is gone${tried}`;
}

/** @param problem why an API key could not be deleted. */
function describeKeyLeft(publicApiKey: string, problem: string): string {
  return `its API key ${publicApiKey} could not be deleted: ${problem}`;
}

function describeToken({ token, sinksTried, problem }: Undelivered): string {
  const { deliveryId, publicApiKey } = token;
  // The problem says what to do with the key.
  const remedy =
    publicApiKey && problem
      ? describeKeyLeft(publicApiKey, problem)
      : describeRemedy(workflowInfo().workflowId, publicApiKey, sinksTried);
  const tried =
    problem && sinksTried.length > 0 ? `; it may be in sink ${sinksTried.join(', ')}` : '';
  return `token ${deliveryId} is left: ${remedy}${tried}`;
}
