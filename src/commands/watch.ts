import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { describeReceipt, receiptOf } from './ending';
import type { Output } from './output';

const POLL_INTERVAL_MS = 250;

/** PENDING_WORKFLOW_TASK_STATE_SCHEDULED of Temporal's API: no worker has taken it yet. */
const SCHEDULED = 1;

const STEP_OF_ACTIVITY: Readonly<Record<string, string>> = {
  createLinkToken: 'creating',
  deliverLinkToken: 'delivering',
};

/** Prints a line whenever the step, the attempt or the last failure changes, and ends as the run ends. */
export async function watch(client: Client, workflowId: string, output: Output): Promise<void> {
  const handle = client.workflow.getHandle(workflowId);
  let lastLine = '';
  for (;;) {
    const description = await handle.describe();
    if (description.status.name !== 'RUNNING') break;
    const line = progressOf(description);
    if (line !== lastLine) output.say(`${new Date().toISOString()} ${line}`);
    lastLine = line;
    await sleep(POLL_INTERVAL_MS);
  }
  const receipt = await receiptOf(handle);
  output.outcome(
    { workflowId, receipt },
    `${new Date().toISOString()} delivered\n${describeReceipt(receipt)}`,
  );
}

/** Workflow code cannot see attempts; the server's pending activities can be asked. */
function progressOf({ raw }: WorkflowExecutionDescription): string {
  const [pending] = raw.pendingActivities ?? [];
  if (!pending)
    return Number(raw.pendingWorkflowTask?.state) === SCHEDULED ? 'waiting for a worker' : 'validating';
  const step = STEP_OF_ACTIVITY[pending.activityType?.name ?? ''] ?? 'working';
  const failure = pending.lastFailure?.message;
  return `${step}, attempt ${pending.attempt ?? 1}${failure ? `; last failure: ${failure}` : ''}`;
}
