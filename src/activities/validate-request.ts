import { Context } from '@temporalio/activity';
import type { FieldProblem, ValidRequest } from '../contract/schemas';
import { workflowIdFor } from '../contract/workflow-id';
import { WORKFLOW_TYPES } from '../contract/workflows';
import { validateAgainstConfig, type Permissions } from '../requests/validate-against-config';
import type { Activities, Retries, RunPlan } from '../shared/activities';
import { invalidRequest } from '../shared/invalid-request';

/**
 * Creates the activity that validates a request before any cost. One failure names all problems. It
 * also returns the settings that a run needs, since workflow code reads no configuration.
 *
 * A retry is safe: it only computes.
 */
export function validateRequestActivity(
  permissions: Permissions,
  retries: Retries,
  searchAttributes = false,
): Activities['validateRequest'] {
  // eslint-disable-next-line @typescript-eslint/require-await -- a throw must become a rejection
  return async function validateRequest(input) {
    const { request, problems } = validateAgainstConfig(input, permissions);
    problems.push(...findIdProblems(request));
    if (!request || problems.length > 0) throw invalidRequest(problems);
    const plan: RunPlan = { request, retries };
    if (searchAttributes) plan.searchAttributes = true;
    return plan;
  };
}

function findIdProblems(request: ValidRequest | null): FieldProblem[] {
  if (!request) return [];
  const workflowId = workflowIdFor(request);
  if (Context.current().info.workflowExecution?.workflowId === workflowId) return [];
  const description =
    `must be ${workflowId}: one run of ${WORKFLOW_TYPES.prepare}` +
    ' for each pair of organizations';
  return [{ field: 'workflowId', description }];
}
