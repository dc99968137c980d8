import type { ApplicationFailure } from '@temporalio/common';
import { MAX_DETAIL_LENGTH, MAX_FIELDS } from '../contract/limits';
import type { FieldProblem } from '../contract/schemas';
import { terminalFailure } from './application-failure';
import type { AttemptFacts } from './attempt-failure';
import { cut, listFirst } from './text';

/**
 * Builds the failure of a request that is not valid, whether an activity or a workflow finds out.
 *
 * @param details of the failure beside the fields.
 * @param facts of the attempt, if it is one that creates or delivers.
 */
export function invalidRequest(
  problems: readonly FieldProblem[],
  details: object = {},
  ...facts: [AttemptFacts] | []
): ApplicationFailure {
  const message = `the request is not valid: ${describeProblems(problems)}`;
  const fields = boundProblems(problems);
  return terminalFailure('InvalidRequest', message, { ...details, fields }, ...facts);
}

/**
 * Keeps the message of a failure readable: the first ten problems, and the number of the others.
 */
export function describeProblems(problems: readonly FieldProblem[]): string {
  const descriptions = problems.map(({ field, description }) => `${field} ${description}`);
  return listFirst(descriptions, '; ');
}

/**
 * Bounds the number of problems and their texts. Of more problems, the last entry gives the number.
 */
function boundProblems(problems: readonly FieldProblem[]): FieldProblem[] {
  const fields = problems.slice(0, MAX_FIELDS);
  if (problems.length > MAX_FIELDS) {
    const furtherProblems = problems.length - (MAX_FIELDS - 1);
    fields[MAX_FIELDS - 1] = {
      field: 'request',
      description: `has ${furtherProblems} more problems: correct these first`,
    };
  }
  return fields.map(({ field, description }) => ({
    field: cut(field, MAX_DETAIL_LENGTH),
    description: cut(description, MAX_DETAIL_LENGTH),
  }));
}
