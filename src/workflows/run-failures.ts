import type { ApplicationFailure } from '@temporalio/workflow';
import type { FailureDetails, FieldProblem } from '../contract/schemas';
import { terminalFailure } from '../shared/application-failure';
import { toObject } from '../shared/object';

/**
 * Ends the message of a run that may have left a token in Atlas: the Temporal UI offers a reset of
 * every closed run.
 */
export const DO_NOT_RESET = 'do not reset this run: that would create another token';

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

/** Builds the failure of a request that the workflow refuses itself, before any activity. */
export function invalidRequest(fields: FieldProblem[]): ApplicationFailure {
  const problems = fields.map(({ field, description }) => `${field} ${description}`).join('; ');
  return createFailure('InvalidRequest', `the request is not valid: ${problems}`, {
    fields,
    unconfirmedTokens: 0,
  });
}
