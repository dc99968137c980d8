import {
  ActivityFailure,
  ApplicationFailure,
  TimeoutFailure,
  defaultFailureConverter,
  type ApplicationFailureOptions,
} from '@temporalio/common';
import { MAX_MESSAGE_LENGTH } from '../contract/limits';
import type { FailureDetails } from '../contract/schemas';
import { applicationFailure, terminalFailure } from './application-failure';
import { toObject } from './object';
import { payloadConverter } from './payload-converter';
import { MAX_REQUESTED_WAIT_MS } from './retry-after';
import { cut } from './text';

/*
 * A failed attempt of an activity, from where it is classified to where the workflow decides what
 * follows. In between it is an ApplicationFailure, which this file writes and reads: the first
 * element of its details is for callers, the second for the workflow and for readers of a history.
 */

/** What the workflow decides by. Callers never see it. */
export interface AttemptFacts {
  /**
   * True if no later attempt can succeed until somebody changes something. `nonRetryable` is
   * something else: Temporal may not retry this activity, but the run may schedule another one.
   */
  permanent: boolean;
  /** True if Atlas may have created a link-token that the run does not get. */
  tokenMayExist: boolean;
  /** The wait that Atlas or the sink requested; it is never shortened. */
  retryAfterMs?: number | undefined;
}

export interface AttemptFailure<Type = string | null> extends AttemptFacts {
  /** Null if the attempt reported none: it timed out, or its worker was lost. */
  type: Type;
  /** Describes what happened and, if it is permanent, the remedy. It holds no secret. */
  message: string;
  /** What callers see beside the type and the message. */
  details: Partial<FailureDetails>;
}

/**
 * A failure type for people who read a history or a list: Atlas may hold a token that the run never
 * received. No code branches on it: the workflow reads `tokenMayExist`.
 */
export const TOKEN_UNCONFIRMED = 'TokenUnconfirmed';

/** The facts of an attempt that ended before it sent anything. */
export const NOTHING_DONE: AttemptFacts = { permanent: false, tokenMayExist: false };

/** The facts of an attempt that says nothing of what it did: the worst is assumed. */
export const NOTHING_KNOWN: AttemptFacts = { permanent: false, tokenMayExist: true };

/**
 * Writes a failed attempt.
 *
 * @param nextRetryDelay until Temporal retries the activity; without it, the retry policy sets one.
 *   Null if Temporal may not retry it. A permanent failure is never retried.
 */
export function writeAttemptFailure(
  failure: AttemptFailure<string>,
  nextRetryDelay?: number | null,
): ApplicationFailure {
  const { type, message, details, permanent } = failure;
  const elements = [details, pickFacts(failure)];
  if (permanent || nextRetryDelay === null) return terminalFailure(type, message, ...elements);
  const options: ApplicationFailureOptions = { type, message, details: elements };
  if (nextRetryDelay !== undefined) options.nextRetryDelay = nextRetryDelay;
  return applicationFailure(options);
}

function pickFacts({ permanent, tokenMayExist, retryAfterMs }: AttemptFacts) {
  return { permanent, tokenMayExist, retryAfterMs } satisfies Required<AttemptFacts>;
}

/** Reads why an activity failed, whether an attempt, Temporal or its SDK says so. */
export function readAttemptFailure(error: unknown): AttemptFailure {
  const cause = getCause(error);
  const failure = findApplicationFailure(error);
  const reported = failure && readApplicationFailure(failure);
  if (cause instanceof TimeoutFailure) return readTimeout(cause, reported);
  if (reported) return reported;
  const message = cause instanceof Error ? cause.message : 'unknown';
  return { ...NOTHING_KNOWN, type: null, message: cut(message, MAX_MESSAGE_LENGTH), details: {} };
}

/** Takes what an activity of ours wrote: whoever fails one by hand harms only its run. */
function readApplicationFailure(failure: ApplicationFailure): AttemptFailure {
  const { type = null, message, nonRetryable, details } = failure;
  return {
    type,
    message: cut(message, MAX_MESSAGE_LENGTH),
    details: toObject(details?.[0]),
    // A failure of the SDK, or of another client, says only whether Temporal may retry.
    ...readFacts(details ?? [], nonRetryable === true),
  };
}

/** Reads the facts from the details of a failure. */
export function readFacts(details: readonly unknown[], permanent = false): AttemptFacts {
  const facts = toObject(details[1]) as Partial<AttemptFacts>;
  return {
    permanent: facts.permanent ?? permanent,
    tokenMayExist: facts.tokenMayExist !== false,
    // A timer of any other length would fail the workflow task for ever.
    retryAfterMs: facts.retryAfterMs && Math.min(facts.retryAfterMs, MAX_REQUESTED_WAIT_MS),
  } satisfies Required<AttemptFacts>;
}

/**
 * @param before the previous attempt's failure. It does not describe the attempt that timed out,
 *   and Temporal has already waited for as long as its `Retry-After` says.
 */
function readTimeout(timeout: TimeoutFailure, before: AttemptFailure | null): AttemptFailure {
  const what =
    timeout.timeoutType === 'SCHEDULE_TO_CLOSE'
      ? 'no attempt ended in time, or none started'
      : 'an attempt ended without a result (a timeout, or a lost worker)';
  const message = before ? `${what}; before that: ${before.message}` : what;
  return {
    ...NOTHING_KNOWN,
    type: before?.type ?? null,
    message: cut(message, MAX_MESSAGE_LENGTH),
    details: before?.details ?? {},
  };
}

/**
 * Finds the failure that an activity reported itself; for one that timed out, the failure of its
 * last failed attempt.
 */
function findApplicationFailure(error: unknown): ApplicationFailure | null {
  let cause = getCause(error);
  // Temporal reports the last failed attempt as the cause of the timeout, which the SDK keeps in
  // `failure`.
  if (cause instanceof TimeoutFailure && cause.failure?.cause) {
    cause = defaultFailureConverter.failureToError(cause.failure.cause, payloadConverter);
  }
  return cause instanceof ApplicationFailure ? cause : null;
}

function getCause(error: unknown): unknown {
  return error instanceof ActivityFailure ? error.cause : error;
}
