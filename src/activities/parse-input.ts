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
 * The attempt after this many fails for good. For a creation they take a quarter of an hour with
 * the default delays, longer than a rollout. A round of deliveries ends earlier, and the next one
 * counts from 1 again.
 */
const MAX_ATTEMPTS_FOR_OTHER_RELEASE = 20;

/**
 * Parses the input of an activity. A run of our own workflow types passes valid input, so what this
 * worker cannot read is that of another release: a worker of that release may take one of the
 * activity's first attempts.
 *
 * @throws ApplicationFailure of type InvalidRequest.
 */
export function parseInput<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const { workflowType, attempt } = Context.current().info;
  const problems = parsed.error.issues.map(toFieldProblem);
  const failure = invalidRequest(problems, {}, REFUSED);
  if (!OWN_WORKFLOW_TYPES.includes(workflowType)) throw failure;

  const isLast = attempt > MAX_ATTEMPTS_FOR_OTHER_RELEASE;
  const consequence = isLast
    ? `it has had ${attempt} attempts: let one release serve the task queue, then start again`
    : 'a worker of that release must take one of the next attempts';
  throw applicationFailure({
    type: 'InvalidRequest',
    message:
      `this worker cannot read the input of the activity (${describeProblems(problems)}): ` +
      `a worker of another release scheduled it; ${consequence}`,
    details: [failure.details?.[0], { ...REFUSED, permanent: isLast }],
    nonRetryable: isLast,
  });
}
