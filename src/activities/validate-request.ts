import { Context } from '@temporalio/activity';
import { z } from 'zod';
import {
  prepareRequestSchema,
  recoverySchema,
  type FieldProblem,
  type ValidRequest,
} from '../contract/schemas';
import { workflowIdFor } from '../contract/workflow-id';
import { WORKFLOW_TYPES } from '../contract/workflows';
import { toFieldProblem } from '../requests/field-problems';
import { validateAgainstConfig, type Permissions } from '../requests/validate-against-config';
import type { Activities, Retries } from '../shared/activities';
import { invalidRequest } from '../shared/invalid-request';
import { toObject } from '../shared/object';

/**
 * Creates the activity that validates a request before any cost. One failure names all problems. It
 * also returns the retries, since workflow code reads no configuration.
 *
 * A retry is safe: it only computes.
 */
export function validateRequestActivity(
  permissions: Permissions,
  retries: Retries,
): Activities['validateRequest'] {
  // eslint-disable-next-line @typescript-eslint/require-await -- a throw must become a rejection
  return async function validateRequest(input, recovery) {
    const fields = recovery ? pickFieldsOfRecovery(input) : input;
    const { request, problems } = validateAgainstConfig(fields, permissions);
    problems.push(...findRecoveryProblems(recovery));
    problems.push(...findIdProblems(request));
    if (!request || problems.length > 0) throw invalidRequest(problems);
    const accessListIps = recovery?.sealedToken.accessListIps ?? request.accessListIps;
    return { request: { ...request, accessListIps }, retries };
  };
}

/**
 * Picks what a recovery needs of the request of a closed run, which nobody can correct. Nothing is
 * created, so the access list is not checked: its rules may have changed. A field of a newer
 * release is left out.
 */
function pickFieldsOfRecovery(input: unknown): object {
  const fields = Object.entries(toObject(input));
  const known = fields.filter(([name]) => Object.hasOwn(prepareRequestSchema.shape, name));
  return { ...Object.fromEntries(known), accessListIps: [] };
}

const recoveryArgumentSchema = z.object({ recovery: recoverySchema });

/** Delivery finds out whether the token opens. */
function findRecoveryProblems(recovery: unknown): FieldProblem[] {
  if (recovery === null) return [];
  return recoveryArgumentSchema.safeParse({ recovery }).error?.issues.map(toFieldProblem) ?? [];
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
