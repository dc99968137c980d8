import type { Info } from '@temporalio/activity';
import { WORKFLOW_TYPES, workflowIdFor } from '../contract/names';
import { invalidRequest } from './failures';

/**
 * Refuses to work outside a run of the pair's own workflow id. Whoever may start work in the namespace can call an
 * activity directly (server 1.32: `temporal activity execute`), or from a workflow of their own.
 *
 * @returns the workflow id.
 * @throws ApplicationFailure of type InvalidRequest.
 */
export function requireOwnRun(
  { workflowExecution, workflowType }: Pick<Info, 'workflowExecution' | 'workflowType'>,
  orgId: string,
  sourceOrgId: string | null,
): string {
  const expected = workflowIdFor(orgId, sourceOrgId);
  if (workflowExecution?.workflowId === expected && workflowType === WORKFLOW_TYPES.prepare) return expected;
  throw invalidRequest([
    {
      field: 'workflowId',
      description: `is not that of a ${WORKFLOW_TYPES.prepare} run of these organizations: start ${WORKFLOW_TYPES.prepare} with workflow id ${expected}`,
    },
  ]);
}
