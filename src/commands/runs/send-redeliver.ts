import { WorkflowNotFoundError, WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import type { Receipt } from '../../contract/schemas';
import { redeliverUpdate } from '../../contract/workflows';
import { commandLine } from '../../shared/command-line';
import { formatCount, shellQuote } from '../../shared/text';
import { describeRun, findRun } from '../../temporal/describe-run';
import { findEarlierToken } from '../../temporal/earlier-token';
import { listRuns } from '../../temporal/list-runs';
import type { RunRef } from '../../temporal/read-history';
import { findRunState, isOpen } from '../../temporal/run-state';
import { CommandError, EXIT_CODES, refusalError } from '../cli/command-error';
import type { CommandContext } from '../cli/context';
import type { Output } from '../cli/output';
import { createBulk, toDelivered } from './bulk';
import { describeReceipt, toFailureError } from './describe-ending';
import { follow } from './follow';
import { readStatus } from './read-status';
import { refuseEarlierToken, refuseOtherWorkflowType } from './refusals';
import { NO_RESPONSE, PAUSED, findMissingWorker } from './why-stuck';

export async function redeliver(
  { client, output }: CommandContext,
  workflowId: string,
  sink?: string,
): Promise<void> {
  const run = await describeRun(client, { workflowId });
  if (!isOpen(run)) return refuseClosed(client, workflowId);
  refuseOtherWorkflowType(run);
  output.note(await findMissingWorker(client, run.taskQueue));
  output.setFollowUp(`the run goes on; follow it: ${commandLine('watch', workflowId)}`);
  const receipt = await sendRedeliver(client, output, run, sink);
  output.print({ workflowId, receipt }, ['delivered', ...describeReceipt(receipt)]);
}

export async function redeliverAll(
  { client, taskQueue, output }: CommandContext,
  sink?: string,
): Promise<void> {
  const runs: RunRef[] = [];
  let onOtherQueues = 0;
  for await (const run of listRuns(client, null, 'CloseTime IS NULL')) {
    if (findRunState(run) !== 'undelivered') continue;
    if (run.taskQueue === taskQueue) runs.push({ workflowId: run.workflowId, runId: run.runId });
    else onOtherQueues += 1;
  }
  output.note(describeOtherQueues(onOtherQueues));
  if (runs.length > 0) output.note(await findMissingWorker(client, taskQueue));
  output.setFollowUp(
    'the runs go on; see which are still undelivered: live-migration-prep list --undelivered',
  );
  const bulk = createBulk(output, runs.length, 'undelivered run');
  await bulk.showProgress(
    (count) => `${count} to deliver (list --undelivered says why one waits)`,
    () =>
      bulk.forEach(runs, async (run) =>
        toDelivered(await sendRedeliver(client, output, run, sink)),
      ),
  );
  bulk.printSummary();
}

function describeOtherQueues(count: number): string | null {
  if (count === 0) return null;
  return (
    `left out ${formatCount(count, 'undelivered run')} on other task queues:` +
    ' see them with live-migration-prep list --undelivered, and name a queue with --task-queue'
  );
}

async function sendRedeliver(
  client: Client,
  output: Output,
  run: RunRef,
  sink?: string,
): Promise<Receipt> {
  const { workflowId } = run;
  const { problem } = await readStatus(client, run);
  // A worker that has died counts as polling for a while.
  if (problem === NO_RESPONSE) output.note(`${problem}: this command waits for one`);
  else if (problem !== null) throw toNotContinuable(workflowId, problem);
  // Without its run id: a run that was reset meanwhile has a successor, to which the Update goes.
  const newestRun = client.workflow.getHandle(workflowId);
  try {
    return await newestRun.executeUpdate(redeliverUpdate, { args: [{ sink }] });
  } catch (error) {
    // The run has ended since.
    if (error instanceof WorkflowNotFoundError) return refuseClosed(client, workflowId);
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    const failureError = toFailureError(error.cause, workflowId);
    if (failureError) throw failureError;
    // The run ended in another way, such as a termination: its own ending says more.
    return follow(client, { workflowId });
  }
}

/**
 * Builds the error for a run of which no worker can take an Update: where code and history do not
 * fit, it would wait until they do.
 */
function toNotContinuable(workflowId: string, problem: string): CommandError {
  if (problem === PAUSED) {
    return refusalError(
      [
        `${workflowId} can take no Update: ${problem}`,
        `temporal workflow unpause --workflow-id ${shellQuote(workflowId)}`,
      ],
      { workflowId, type: 'RunPaused' },
    );
  }
  const again = commandLine('redeliver', workflowId);
  const lines = [
    `${workflowId} can take no Update: ${problem}`,
    `this command sent nothing. Remove the cause, then: ${again}`,
  ];
  return new CommandError(lines, EXIT_CODES.failed, { workflowId });
}

async function refuseClosed(client: Client, workflowId: string): Promise<never> {
  const newestRun = await findRun(client, { workflowId });
  const token = await findEarlierToken(client, workflowId, { newestRun });
  if (token) return refuseEarlierToken(workflowId, token, null);
  const message =
    `no run of ${workflowId} is open,` + ' and no closed run of it has a token: nothing to deliver';
  throw refusalError(message, { workflowId, type: 'NothingToDeliver' });
}
