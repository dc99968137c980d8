import {
  WorkflowExecutionAlreadyStartedError,
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowIdReusePolicy,
} from '@temporalio/client';
import { WORKFLOW_TYPES } from '../../contract/names';
import type { PrepareRequest, Recovery } from '../../contract/schemas';
import { findEarlierToken } from '../../temporal/earlier-token';
import { nullIfNotFound } from '../../temporal/grpc';
import type { RunRef } from '../../temporal/run-history';
import { isOpen } from '../../temporal/visibility';
import { refuseEarlierToken, refuseForeign, refuseIfDifferent } from './refusals';

/** The number of attempts to start. */
const MAX_LOOKS = 5;

/**
 * Looks at the runs of the id, then starts one. The server refuses the start if another run has opened or delivered in
 * between; then it looks again.
 *
 * @returns the task queue of the run; an open one may be on another.
 * @throws CommandError when the runs of the id do not allow a start.
 */
export async function startOrJoin(
  client: Client,
  workflowId: string,
  request: PrepareRequest,
  { taskQueue, again }: { taskQueue: string; again: boolean },
  beforeStart: () => void = () => undefined,
): Promise<RunRef & { joined: boolean; taskQueue: string }> {
  for (let looks = 1; ; looks += 1) {
    const newest = await requireStartable(client, workflowId, request, again);
    if (newest && isOpen(newest))
      return { workflowId, runId: newest.runId, joined: true, taskQueue: newest.taskQueue };
    // A foreign run that completed delivered nothing.
    const isAllowed = again || (newest !== null && newest.type !== WORKFLOW_TYPES.prepare);
    beforeStart();
    try {
      const run = await startRun(client, {
        workflowId,
        taskQueue,
        args: [again ? { ...request, again } : request],
        workflowIdReusePolicy: isAllowed ? 'ALLOW_DUPLICATE' : 'ALLOW_DUPLICATE_FAILED_ONLY',
      });
      return { ...run, joined: false, taskQueue };
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError) || looks === MAX_LOOKS) throw error;
    }
  }
}

/**
 * Checks that the runs of an id allow a start, or a join of the open run.
 *
 * @returns the newest run, or null when there is none.
 * @throws CommandError when they do not.
 */
export async function requireStartable(
  client: Client,
  workflowId: string,
  request: PrepareRequest,
  again: boolean,
): Promise<WorkflowExecutionDescription | null> {
  const newest = await client.workflow.getHandle(workflowId).describe().catch(nullIfNotFound);
  if (newest && isOpen(newest)) {
    refuseForeign(newest);
    await refuseIfDifferent(client, newest, request);
  } else if (!again) {
    const token = await findEarlierToken(client, workflowId, undefined, newest);
    if (token) await refuseEarlierToken(client, workflowId, token, request);
  }
  return newest;
}

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
