import type { Client, WorkflowIdReusePolicy } from '@temporalio/client';
import { WORKFLOW_TYPES } from '../../contract/names';
import type { PrepareRequest, Recovery } from '../../contract/schemas';
import type { RunRef } from '../../temporal/run-history';

/**
 * Starts `prepareLiveMigration`, and does not wait.
 *
 * @throws WorkflowExecutionAlreadyStartedError when a run of the id is open, or the policy does not allow another.
 */
export async function startRun(
  client: Client,
  options: {
    workflowId: string;
    taskQueue: string;
    /** The second is the token of a closed run: with it, nothing is created. */
    args: [request: PrepareRequest, recovery?: Recovery];
    workflowIdReusePolicy: WorkflowIdReusePolicy;
  },
): Promise<RunRef> {
  const { workflowId, firstExecutionRunId } = await client.workflow.start(WORKFLOW_TYPES.prepare, {
    ...options,
    priority: { fairnessKey: options.args[0].orgId },
    workflowIdConflictPolicy: 'FAIL',
  });
  return { workflowId, runId: firstExecutionRunId };
}
