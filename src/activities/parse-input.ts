import { Context } from '@temporalio/activity';
import type { z } from 'zod';
import { WORKFLOW_TYPES } from '../contract/workflows';
import { toFieldProblem } from '../requests/field-problems';
import { applicationFailure } from '../shared/application-failure';
import { NOTHING_DONE, type AttemptFacts } from '../shared/attempt-failure';
import { describeProblems, invalidRequest } from '../shared/invalid-request';

/** The facts of an attempt whose input was refused. */
export const REFUSED: AttemptFacts = { ...NOTHING_DONE, permanent: true };

const OWN_WORKFLOW_TYPES: readonly (string | undefined)[] = Object.values(WORKFLOW_TYPES);

/**
 * Parses the input of an activity that a caller wrote, and that only the caller can correct.
 *
 * @throws ApplicationFailure of type InvalidRequest, which is final.
 */
export function parseCallersInput<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw invalidRequest(parsed.error.issues.map(toFieldProblem), {}, REFUSED);
}

/**
 * Parses the input of an activity. A run of our own workflow types passes valid input, so what this
 * worker cannot read is that of another release: Temporal retries the attempt, for as long as it
 * retries the activity, until a worker of that release takes it.
 *
 * @throws ApplicationFailure of type InvalidRequest.
 */
export function parseInput<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(toFieldProblem);
  const failure = invalidRequest(problems, {}, REFUSED);
  if (!OWN_WORKFLOW_TYPES.includes(Context.current().info.workflowType)) throw failure;
  throw applicationFailure({
    type: 'InvalidRequest',
    message:
      `this worker cannot read the input of the activity (${describeProblems(problems)}):` +
      ' a worker of another release scheduled it, and must take one of the next attempts',
    details: [failure.details?.[0], NOTHING_DONE],
  });
}
