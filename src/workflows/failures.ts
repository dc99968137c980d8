import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  isCancellation,
} from '@temporalio/workflow';
import type { DeliveryFailureType, FailureType } from '../contract/names';
import type { FailureDetails } from '../contract/schemas';
import { withoutStack } from '../shared/failure';
import { parseFailure } from './activity-results';

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

export function firstDetails({ details }: ApplicationFailure): object {
  const first: unknown = details?.[0];
  return typeof first === 'object' && first !== null ? first : {};
}

/** The failure of a request that the SDK cannot write as JSON. Any other error would block the workflow task. */
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

/**
 * The failure of an activity that creates nothing. In a cancelled run it is the cancellation: Temporal does not retry
 * there, so the failure of the last attempt says little.
 */
export function failureOfActivity(error: unknown): unknown {
  if (isCancellation(error)) return error;
  if (CancellationScope.current().consideredCancelled) return new CancelledFailure('cancelled');
  const { type, message, details } = parseFailure(error);
  return failureOf(type || 'AtlasUnavailable', message, { unconfirmedTokens: 0, ...details });
}
