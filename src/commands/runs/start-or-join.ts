import {
  WorkflowExecutionAlreadyStartedError,
  type WorkflowIdReusePolicy,
} from '@temporalio/client';
import type { PrepareRequest } from '../../contract/schemas';
import { summaryFor, workflowIdFor } from '../../contract/workflow-id';
import { WORKFLOW_TYPES } from '../../contract/workflows';
import { describeRemedy } from '../../shared/command-line';
import { findRun, isCancelRequested } from '../../temporal/describe-run';
import { findEarlierToken } from '../../temporal/earlier-token';
import { isAbandoned, isOpen } from '../../temporal/run-state';
import type { CommandContext } from '../cli/context';
import { refuseEarlierToken, refuseOtherWorkflowType, refuseIfDifferent } from './refusals';

const MAX_ATTEMPTS = 5;

/**
 * Looks at the runs of the id, then starts one. The server refuses the start if another run has
 * opened in between, or has delivered and the policy allows no duplicate; then it looks again.
 *
 * @returns the run that was started or joined.
 * @throws CommandError when the runs of the id do not allow a start.
 */
export async function startOrJoin(context: CommandContext, request: PrepareRequest) {
  const { client, taskQueue } = context;
  const workflowId = workflowIdFor(request);
  for (let attempt = 1; ; attempt += 1) {
    const { open, workflowIdReusePolicy } = await requireStartable(context, request);
    if (open) return { runId: open.runId, joined: true };
    try {
      const { firstExecutionRunId } = await client.workflow.start(WORKFLOW_TYPES.prepare, {
        workflowId,
        taskQueue,
        args: [request],
        staticSummary: summaryFor(request),
        priority: { fairnessKey: request.orgId },
        workflowIdConflictPolicy: 'FAIL',
        workflowIdReusePolicy,
      });
      return { runId: firstExecutionRunId, joined: false };
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError) || attempt === MAX_ATTEMPTS) {
        throw error;
      }
    }
  }
}

/**
 * Looks at the runs of the id. A note says if the open run is being cancelled. Without a newest run
 * there is no earlier one, and Temporal's list, of which a server permits few a second, is not
 * read; the run itself reads it.
 *
 * @returns the id reuse policy for a start, and the open run of an equal request (`open`), which a
 *   start joins even while it is being cancelled; null without one.
 * @throws CommandError when the runs of an id allow neither a start nor a join of the open run.
 */
export async function requireStartable(
  { client, output }: CommandContext,
  request: PrepareRequest,
) {
  const workflowId = workflowIdFor(request);
  const newestRun = await findRun(client, { workflowId });
  const open = newestRun && isOpen(newestRun) ? newestRun : null;
  if (open) {
    refuseOtherWorkflowType(open);
    await refuseIfDifferent(client, open, request);
    if (isCancelRequested(open)) {
      output.note(`${workflowId} is being cancelled: wait for its end, then start again`);
    }
  } else if (newestRun) {
    const permitted = request.again ?? undefined;
    const token = await findEarlierToken(client, workflowId, { permitted, newestRun });
    if (token) refuseEarlierToken(workflowId, token, request);
    if (isAbandoned(newestRun)) {
      const { runId, memo } = newestRun;
      const sinksTried = memo.sink === null ? null : [memo.sink];
      const remedy = describeRemedy(workflowId, memo.publicApiKey, sinksTried);
      output.note(`run ${runId} left token ${memo.deliveryId}: ${remedy}`);
    }
  }
  const permitsAnother = request.again != null;
  // A run of another workflow type that completed delivered nothing.
  const hasOtherType = newestRun !== null && newestRun.type !== WORKFLOW_TYPES.prepare;
  const workflowIdReusePolicy: WorkflowIdReusePolicy =
    permitsAnother || hasOtherType ? 'ALLOW_DUPLICATE' : 'ALLOW_DUPLICATE_FAILED_ONLY';
  return { open, workflowIdReusePolicy };
}
