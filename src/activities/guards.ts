import type { Info } from '@temporalio/activity';
import type { z } from 'zod';
import { WORKFLOW_TYPES, workflowIdFor } from '../contract/names';
import { toFieldProblem } from '../requests/validate-fields';
import type { AttemptDetails } from '../shared/activities';
import { invalidRequest } from './failures';

/** Details of an attempt that a guard ended: it did nothing. */
export const NOTHING_DONE: AttemptDetails = { tokenMayExist: false };

/** @throws ApplicationFailure of type InvalidRequest. */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw invalidRequest(parsed.error.issues.map(toFieldProblem), NOTHING_DONE);
}

/**
 * Refuses to work outside a run of the pair's workflow id. Anyone who may start work in the namespace can
 * call an activity directly (server 1.32: `temporal activity execute`), or from another workflow.
 *
 * @throws ApplicationFailure of type InvalidRequest.
 */
export function requireRunOfPair(
  { workflowExecution, workflowType }: Pick<Info, 'workflowExecution' | 'workflowType'>,
  orgId: string,
  sourceOrgId: string | null,
): NonNullable<Info['workflowExecution']> {
  const workflowId = workflowIdFor(orgId, sourceOrgId);
  if (workflowExecution?.workflowId === workflowId && workflowType === WORKFLOW_TYPES.prepare) {
    return workflowExecution;
  }
  const problem = `is not that of a ${WORKFLOW_TYPES.prepare} run of these organizations`;
  const remedy = `start ${WORKFLOW_TYPES.prepare} with workflow id ${workflowId}`;
  throw invalidRequest([{ field: 'workflowId', description: `${problem}: ${remedy}` }], NOTHING_DONE);
}
