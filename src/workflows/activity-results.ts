import { defaultFailureConverter } from '@temporalio/common';
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import { MAX_MESSAGE_LENGTH, MAX_REQUESTED_WAIT_MS } from '../contract/limits';
import type { FailureDetails } from '../contract/schemas';
import type { AttemptDetails } from '../shared/activities';
import { toObject } from '../shared/object';
import { payloadConverter } from '../shared/payload-converter';
import { cut } from '../shared/text';

/*
 * Results come from our own workers and are trusted: anyone who can complete an activity by hand
 * can also terminate its run. Only a creation and a delivery pass through `settle`. Failures also
 * come from Temporal and from its SDK, so they are brought into one shape.
 */

type AtlasDetails = Pick<FailureDetails, 'status' | 'errorCode' | 'reason' | 'detail' | 'fields'>;

export interface ParsedFailure {
  /**
   * `failed` also if the attempt ended without a result, since it timed out or its worker was lost.
   */
  how: 'failed' | 'cancelled' | 'scheduleToClose';
  /**
   * Type of an ApplicationFailure; after a timeout, that of the attempt before. Null if there is
   * none.
   */
  type: string | null;
  message: string;
  details: AtlasDetails;
  /** False if the run must end. */
  runMayRetry: boolean;
  retryAfterMs: number | undefined;
  /** True unless the attempt says otherwise. */
  tokenMayExist: boolean;
  /** True unless the attempt says otherwise. */
  sinkTried: boolean;
}

const NOTHING_KNOWN = {
  how: 'failed',
  details: {},
  runMayRetry: false,
  retryAfterMs: undefined,
  tokenMayExist: true,
  sinkTried: true,
} as const;

/**
 * Waits for an activity.
 *
 * @param field of the result that must be a string. An operator can complete an activity by hand,
 *   with any result (`temporal activity complete`), which would lose a token unseen.
 * @param otherwise the failure to report for a result that lacks the field.
 */
export async function settle<Result>(
  activity: Promise<Result>,
  field: keyof Result & string,
  otherwise: Pick<ParsedFailure, 'type' | 'message'>,
): Promise<{ result: Result } | { failure: ParsedFailure }> {
  try {
    const result = await activity;
    if (typeof toObject(result)[field] === 'string') return { result };
    return { failure: { ...NOTHING_KNOWN, ...otherwise } };
  } catch (error) {
    return { failure: parseFailure(error) };
  }
}

export function parseFailure(error: unknown): ParsedFailure {
  const cause = getCause(error);
  const failure = findApplicationFailure(error);
  const reportedFailure = failure ? parseApplicationFailure(failure) : null;
  if (cause instanceof TimeoutFailure) return parseTimeout(cause, reportedFailure);
  const parsed = reportedFailure ?? parseOther(cause);
  return cause instanceof CancelledFailure ? { ...parsed, how: 'cancelled' } : parsed;
}

function getCause(error: unknown): unknown {
  return error instanceof ActivityFailure ? error.cause : error;
}

/**
 * @param before the previous attempt's failure. It does not describe the attempt that timed out,
 *   and Temporal has already waited for as long as its `Retry-After` says.
 */
function parseTimeout(
  { timeoutType }: TimeoutFailure,
  before: ParsedFailure | null,
): ParsedFailure {
  const isOutOfTime = timeoutType === 'SCHEDULE_TO_CLOSE';
  const what = isOutOfTime
    ? 'no attempt ended in time, or none started'
    : 'an attempt ended without a result (a timeout, or a lost worker)';
  const message = before ? `${what}; before that: ${before.message}` : what;
  return {
    ...NOTHING_KNOWN,
    how: isOutOfTime ? 'scheduleToClose' : 'failed',
    type: before?.type ?? null,
    message: cut(message, MAX_MESSAGE_LENGTH),
    details: before?.details ?? {},
    runMayRetry: true,
  };
}

function parseOther(cause: unknown): ParsedFailure {
  const message = cause instanceof Error ? cause.message : 'unknown';
  return {
    ...NOTHING_KNOWN,
    type: null,
    message: cut(message, MAX_MESSAGE_LENGTH),
    runMayRetry: true,
  };
}

/**
 * Finds the failure that an activity reported itself; for one that timed out, the failure of its
 * last failed attempt.
 */
export function findApplicationFailure(error: unknown): ApplicationFailure | null {
  let cause = getCause(error);
  // Temporal reports the last failed attempt as the cause of the timeout, which the SDK keeps in
  // `failure`.
  if (cause instanceof TimeoutFailure && cause.failure?.cause) {
    cause = defaultFailureConverter.failureToError(cause.failure.cause, payloadConverter);
  }
  return cause instanceof ApplicationFailure ? cause : null;
}

/**
 * Takes the details as an activity of ours gave them: whoever fails one by hand harms only its run.
 */
function parseApplicationFailure(failure: ApplicationFailure): ParsedFailure {
  const { retryAfterMs, tokenMayExist, runMayRetry, sinkTried, ...details } = toObject(
    failure.details?.[0],
  ) as AttemptDetails & AtlasDetails;
  return {
    how: 'failed',
    type: failure.type ?? null,
    message: cut(failure.message, MAX_MESSAGE_LENGTH),
    details,
    // A failure of the SDK, or of another client, says only whether Temporal may retry.
    runMayRetry: runMayRetry ?? failure.nonRetryable !== true,
    // A timer of any other length would fail the workflow task for ever.
    retryAfterMs: retryAfterMs && Math.min(retryAfterMs, MAX_REQUESTED_WAIT_MS),
    tokenMayExist: tokenMayExist !== false,
    sinkTried: sinkTried !== false,
  };
}
