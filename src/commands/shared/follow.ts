import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError, type Client, type WorkflowHandle } from '@temporalio/client';
import { readMemo, receiptSchema, type Receipt, type Status } from '../../contract/schemas';
import { checkTaskQueue } from '../../doctor/task-queue';
import { commandLine } from '../../shared/command-line';
import type { RunRef } from '../../temporal/run-history';
import { CommandError, EXIT_CODES } from '../cli/command-error';
import type { CommandContext } from '../cli/context';
import { describeReceipt, describeUnconfirmed, describeUndelivered, toEndingError } from './endings';
import { describePrepareRun } from './refusals';
import { findFailureType, readStatus } from './status';

const POLL_INTERVAL_MS = 250;
const MAX_POLL_INTERVAL_MS = 1000;

/** PENDING_WORKFLOW_TASK_STATE_SCHEDULED and PENDING_ACTIVITY_STATE_SCHEDULED in Temporal's API. */
const SCHEDULED = 1;

const STEP_BY_ACTIVITY: Readonly<Record<string, string>> = {
  createLinkToken: 'creating',
  deliverLinkToken: 'delivering',
};

/**
 * @param run without a run id, the newest of its workflow id.
 * @param facts printed beside the receipt.
 */
export async function watch(context: CommandContext, run: { workflowId: string; runId?: string }, facts = {}) {
  const { client, output } = context;
  const { workflowId } = run;
  const at = () => new Date().toISOString();
  const receipt = await follow(client, run, (progress) => {
    output.setFollowUp(`the run goes on; follow it: ${commandLine('watch', workflowId)}`);
    output.print({ at: at(), workflowId, progress }, `${at()} ${progress}`);
  });
  // The lines before have the time at which they were seen; the time of the delivery may be earlier than theirs.
  output.print({ workflowId, ...facts, receipt }, [`${at()} delivered`, ...describeReceipt(receipt)]);
}

/**
 * Follows a run until it ends or its token is undelivered.
 *
 * @param report gets a line whenever something changes.
 * @throws CommandError when the run ended without a receipt, is undelivered (exit code 5) or has another workflow type.
 */
export async function follow(
  client: Client,
  target: { workflowId: string; runId?: string },
  report: (progress: string) => void = () => undefined,
): Promise<Receipt> {
  const { workflowId } = target;
  const runId = target.runId ?? (await describePrepareRun(client, target)).runId;
  const handle = client.workflow.getHandle(workflowId, runId);
  let progress = '';
  let reported = '';
  for (let intervalMs = POLL_INTERVAL_MS; ; intervalMs = Math.min(intervalMs * 1.2, MAX_POLL_INTERVAL_MS)) {
    const run = await describePrepareRun(client, { workflowId, runId });
    if (!run.isOpen) return waitForReceipt(handle, run);
    const task = run.raw.pendingActivities?.[0] ?? run.raw.pendingWorkflowTask;
    // A run without a task waits for a time or for an Update.
    const status = task ? null : await readStatus(client, handle);
    // Without a worker that responds to the Query, the memo says it.
    const { step } = status ?? readMemo(run.memo);
    if (!task && step === 'undelivered') throw toUndeliveredError(workflowId, status);
    progress = describeProgress(run, status) ?? progress;
    const worker = Number(task?.state) === SCHEDULED ? await checkTaskQueue(client, run.taskQueue) : null;
    const line = [progress, worker?.state === 'warning' && worker.message].filter(Boolean).join('; ');
    if (line !== reported) report(line);
    reported = line;
    await sleep(intervalMs);
  }
}

/** @throws CommandError with the type, message and details of the run's failure. */
async function waitForReceipt(handle: WorkflowHandle, run: RunRef): Promise<Receipt> {
  const { workflowId } = run;
  const result: unknown = await handle.result().catch((error: unknown) => {
    throw error instanceof WorkflowFailedError ? toEndingError(error.cause, run) : error;
  });
  // The receipt may have fields that this release does not know.
  if (receiptSchema.safeParse(result).success) return result as Receipt;
  const message = `${workflowId} completed with a result that is not a receipt: its history has both it and the token`;
  throw new CommandError(message, EXIT_CODES.failed, { workflowId });
}

function toUndeliveredError(workflowId: string, status: Status | null): CommandError {
  const { description = '', nextAttemptAt, unconfirmedTokens = 0 } = status ?? {};
  return new CommandError(
    [
      status ? description : 'undelivered: no worker responds, so only the history has the reason: start a worker',
      ...describeUndelivered(workflowId, nextAttemptAt),
      ...describeUnconfirmed(unconfirmedTokens, workflowId),
    ],
    EXIT_CODES.undelivered,
    { workflowId, type: findFailureType(description), status },
  );
}

/** Describes the pending activity with its attempts, which only the server knows, or else the status. */
function describeProgress({ raw }: Awaited<ReturnType<typeof describePrepareRun>>, status: Status | null) {
  const [activity] = raw.pendingActivities ?? [];
  if (activity) {
    const step = STEP_BY_ACTIVITY[activity.activityType?.name ?? ''] ?? 'working';
    const failure = activity.lastFailure?.message;
    return `${step}, attempt ${activity.attempt ?? 1}${failure ? `; last failure: ${failure}` : ''}`;
  }
  if (Number(raw.pendingWorkflowTask?.state) === SCHEDULED) return 'waiting for a worker';
  if (!status) return null;
  const { step, description, nextAttemptAt } = status;
  return `${step}: ${description}${nextAttemptAt ? `; next attempt at ${nextAttemptAt}` : ''}`;
}
