import type { NativeConnection, Worker } from '@temporalio/worker';

const TIMEOUT_MS = 1000;

/** Says why the worker cannot take work now; null when it can. A lost connection shows within a second. */
export async function findReadinessProblem(
  worker: Pick<Worker, 'getStatus'>,
  connection: Pick<NativeConnection, 'withDeadline' | 'workflowService'>,
): Promise<string | null> {
  const { runState, workflowPollerState, activityPollerState } = worker.getStatus();
  if (runState !== 'RUNNING') return `the worker is ${runState}`;
  if (workflowPollerState !== 'POLLING') return `the workflow poller is ${workflowPollerState}`;
  if (activityPollerState !== 'POLLING') return `the activity poller is ${activityPollerState}`;
  try {
    await connection.withDeadline(Date.now() + TIMEOUT_MS, () =>
      connection.workflowService.getSystemInfo({}),
    );
    return null;
  } catch {
    return 'Temporal does not respond';
  }
}
