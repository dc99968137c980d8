import {
  WorkflowExecutionAlreadyStartedError,
  type Client,
  type WorkflowIdReusePolicy,
} from '@temporalio/client';
import type { PrepareRequest } from '../../contract/schemas';
import { isOpen, isOurs, runsOf, type Run } from './find-runs';
import { refuseForeign, refuseIfDelivered, refuseIfDifferent, refuseIfTokenLeft } from './refusals';
import { startRun } from './start-run';

/** How often it looks before it gives up. */
const MAX_LOOKS = 5;

/**
 * Looks at the runs of the id, then starts. The server refuses the start if another run has opened in between or, as a
 * rule, delivered (see the reuse policies below); then it looks again. It may miss a run that started and failed in between;
 * `list` shows a token left by it.
 *
 * @returns the task queue of the run; an open one may be on another.
 */
export async function startOrJoin(
  client: Client,
  workflowId: string,
  request: PrepareRequest,
  { taskQueue, again }: { taskQueue: string; again: boolean },
  beforeStart: () => void = () => undefined,
): Promise<{ joined: boolean; runId: string; taskQueue: string }> {
  for (let looks = 1; ; looks += 1) {
    const { runs, open } = await lookAtRuns(client, workflowId, request, again);
    if (open) return { joined: true, runId: open.runId, taskQueue: open.taskQueue };
    const workflowIdReusePolicy = reusePolicyFor(runs, again);
    beforeStart();
    try {
      const { runId } = await startRun(client, {
        workflowId,
        taskQueue,
        args: [request],
        workflowIdReusePolicy,
      });
      return { joined: false, runId, taskQueue };
    } catch (error) {
      // A run started meanwhile.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError) || looks === MAX_LOOKS) throw error;
    }
  }
}

/** @throws CommandError when these runs do not allow a start. */
export async function lookAtRuns(
  client: Client,
  workflowId: string,
  request: PrepareRequest,
  again: boolean,
): Promise<{ runs: Run[]; open: Run | undefined }> {
  const runs = await runsOf(client, workflowId);
  const open = runs.find(isOpen);
  if (open) {
    refuseForeign(open);
    await refuseIfDifferent(client, open, request);
  } else if (!again) {
    await refuseIfDelivered(client, runs);
    await refuseIfTokenLeft(client, runs);
  }
  return { runs, open };
}

function reusePolicyFor([newest]: readonly Run[], again: boolean): WorkflowIdReusePolicy {
  if (again) return 'ALLOW_DUPLICATE';
  if (!newest) return 'REJECT_DUPLICATE';
  // A foreign run that completed delivered nothing.
  return isOurs(newest) ? 'ALLOW_DUPLICATE_FAILED_ONLY' : 'ALLOW_DUPLICATE';
}
