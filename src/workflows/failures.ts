import { defaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  TimeoutFailure,
  isCancellation,
} from '@temporalio/workflow';
import {
  DELIVERY_FAILURE_TYPES,
  FAILURE_TYPES,
  type DeliveryFailureType,
  type FailureType,
} from '../contract/names';
import type { FailureDetails } from '../contract/schemas';
import { withoutStack } from '../contract/without-stack';

/** The failure of a run, as callers branch on it: a type, a message that stands alone, and details. */
export function failureOf(
  type: FailureType | DeliveryFailureType | (string & {}),
  message: string,
  details: FailureDetails,
): ApplicationFailure {
  return terminalFailure(type, message, [details]);
}

/** A failure without a cause or a stack, which Temporal does not retry. */
export function terminalFailure(type: string, message: string, details: unknown[] = []): ApplicationFailure {
  return withoutStack(ApplicationFailure.create({ type, message, nonRetryable: true, details }));
}

/** Of a request that the SDK cannot write as JSON, to pass it on. Any other error would block the workflow task. */
export function unwritableRequest(): ApplicationFailure {
  const problem = {
    field: 'request',
    description: 'cannot be written back as JSON: remove deeply nested values',
  };
  return failureOf('InvalidRequest', `the request is not valid: it ${problem.description}`, {
    fields: [problem],
    unconfirmedTokens: 0,
  });
}

/** What an activity failed with, without the wrapping of Temporal. */
export function causeOf(error: unknown): unknown {
  return error instanceof ActivityFailure ? error.cause : error;
}

/** The message and details of a failed activity; of a timed-out one, those of its last failed attempt. */
export function messageAndDetails(cause: unknown): { message: string; details: object } {
  if (cause instanceof ApplicationFailure) {
    const [details] = cause.details ?? [];
    return { message: cause.message, details: typeof details === 'object' && details ? details : {} };
  }
  if (cause instanceof TimeoutFailure) {
    const last = lastAttemptFailureOf(cause);
    if (last) return messageAndDetails(last);
    return { message: 'an attempt ended without a result (a timeout, or its worker was lost)', details: {} };
  }
  return { message: cause instanceof Error ? cause.message : String(cause), details: {} };
}

/** No server requests more, and whoever may fail activities in the namespace can put anything there. */
const LONGEST_REQUESTED_WAIT_MS = 24 * 3_600_000;

/** The wait that the details of a failed attempt request, if any. */
export function requestedWaitMs({ retryAfterMs }: { retryAfterMs?: unknown }): number | undefined {
  if (typeof retryAfterMs !== 'number' || !(retryAfterMs >= 0)) return undefined;
  return Math.min(retryAfterMs, LONGEST_REQUESTED_WAIT_MS);
}

export function isRunFailureType(type: unknown): type is FailureType {
  return (FAILURE_TYPES as readonly unknown[]).includes(type);
}

export function isDeliveryFailureType(type: unknown): type is DeliveryFailureType {
  return (DELIVERY_FAILURE_TYPES as readonly unknown[]).includes(type);
}

/**
 * The failure of an activity that creates nothing. In a cancelled run it is the cancellation: Temporal does not retry
 * there, so the failure of the last attempt says little.
 */
export function failureOfActivity(error: unknown): unknown {
  if (isCancellation(error)) return error;
  if (CancellationScope.current().consideredCancelled) return new CancelledFailure('cancelled');
  const cause = causeOf(error);
  const reported = (cause instanceof TimeoutFailure && lastAttemptFailureOf(cause)) || cause;
  const type = reported instanceof ApplicationFailure && reported.type ? reported.type : 'AtlasUnavailable';
  const { message, details } = messageAndDetails(reported);
  return failureOf(type, message, { unconfirmedTokens: 0, ...details });
}

/** Temporal reports the last failed attempt as the cause of the timeout, which the SDK leaves out of `cause`. */
function lastAttemptFailureOf({ failure }: TimeoutFailure): ApplicationFailure | null {
  if (!failure?.cause) return null;
  const cause = defaultFailureConverter.failureToError(failure.cause, defaultPayloadConverter);
  return cause instanceof ApplicationFailure ? cause : null;
}
