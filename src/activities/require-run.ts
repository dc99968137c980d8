import type { Info } from '@temporalio/activity';
import { workflowIdFor, type Pair } from '../contract/workflow-id';
import { WORKFLOW_TYPES } from '../contract/workflows';
import { invalidRequest } from '../shared/invalid-request';
import { REFUSED } from './parse-input';

/**
 * Refuses to work outside a run of the pair's workflow id. Anyone who may start work in the
 * namespace can call an activity directly (server 1.32: `temporal activity execute`), or from
 * another workflow.
 *
 * @throws ApplicationFailure of type InvalidRequest.
 */
export function requireRunOfPair(
  { workflowExecution, workflowType }: Pick<Info, 'workflowExecution' | 'workflowType'>,
  pair: Pair,
): NonNullable<Info['workflowExecution']> {
  const workflowId = workflowIdFor(pair);
  if (workflowExecution?.workflowId === workflowId && workflowType === WORKFLOW_TYPES.prepare) {
    return workflowExecution;
  }
  const problem = `is not that of a ${WORKFLOW_TYPES.prepare} run of these organizations`;
  const remedy = `start ${WORKFLOW_TYPES.prepare} with workflow id ${workflowId}`;
  throw invalidRequest(
    [{ field: 'workflowId', description: `${problem}: ${remedy}` }],
    {},
    REFUSED,
  );
}
