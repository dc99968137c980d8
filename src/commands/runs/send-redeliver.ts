import { WorkflowNotFoundError, WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import type { Receipt } from '../../contract/schemas';
import { redeliverUpdate } from '../../contract/workflows';
import { commandLine } from '../../shared/command-line';
import { formatCount, shellQuote } from '../../shared/text';
import { describeRun, findRun, type RunTarget } from '../../temporal/describe-run';
import { findEarlierToken } from '../../temporal/earlier-token';
import { listRuns } from '../../temporal/list-runs';
import type { RunRef } from '../../temporal/read-history';
import { findRunState, isOpen } from '../../temporal/run-state';
import { CommandError, EXIT_CODES, refusalError } from '../cli/command-error';
import type { CommandContext } from '../cli/context';
import { createBulk, toDelivered } from './bulk';
import { toFailureError } from './describe-ending';
import { lookAt } from './look-at';
import { refuseEarlierToken, refuseOtherWorkflowType, requirePrepareRun } from './refusals';
import { PAUSED, TASK_FAILS, findMissingWorker, findObstacle } from './why-stuck';

/**
 * Delivers the token of a run now.
 *
 * @param workflowId null for every undelivered run of the task queue.
 */
export async function redeliver(
  context: CommandContext,
  workflowId: string | null,
  sink?: string,
): Promise<void> {
  const { output } = context;
  const runs = workflowId === null ? await findUndelivered(context) : [{ workflowId }];
  const bulk =
    workflowId === null ? createBulk(output, runs.length, 'undelivered run') : createBulk(output);
  output.setFollowUp(
    workflowId === null
      ? 'the runs go on; see which are still undelivered: live-migration-prep list --undelivered'
      : `the run goes on; follow it: ${commandLine('watch', workflowId)}`,
  );
  await bulk.showProgress(
    (count) => `${count} to deliver (watch says why one waits)`,
    () => bulk.forEach(runs, async (run) => toDelivered(await sendRedeliver(context, run, sink))),
  );
  bulk.printSummary();
}

/** Those of one task queue only: another may have other sinks of the same names. */
async function findUndelivered({ client, taskQueue, output }: CommandContext): Promise<RunRef[]> {
  const runs: RunRef[] = [];
  let onOtherQueues = 0;
  for await (const run of listRuns(client, null, 'CloseTime IS NULL')) {
    if (findRunState(run) !== 'undelivered') continue;
    if (run.taskQueue === taskQueue) runs.push({ workflowId: run.workflowId, runId: run.runId });
    else onOtherQueues += 1;
  }
  if (onOtherQueues > 0) {
    output.note(
      `left out ${formatCount(onOtherQueues, 'undelivered run')} on other task queues:` +
        ' see them with live-migration-prep list --undelivered, and name a queue with --task-queue',
    );
  }
  return runs;
}

/** @param target with its run id if Temporal listed it as undelivered a moment ago. */
async function sendRedeliver(
  { client, output }: CommandContext,
  { workflowId, runId }: RunTarget,
  sink?: string,
): Promise<Receipt> {
  const run = await describeRun(client, { workflowId });
  if (!isOpen(run)) {
    if (runId === undefined) return refuseClosed(client, workflowId);
    return readReceipt(client, { workflowId, runId });
  }
  refuseOtherWorkflowType(run);
  output.note(await findMissingWorker(client, run.taskQueue));
  const obstacle = await findObstacle(client, run);
  if (obstacle === PAUSED || obstacle === TASK_FAILS) {
    throw toNotContinuable(workflowId, obstacle);
  }
  // Without its run id: a run that was reset meanwhile has a successor, to which the Update goes.
  const newestRun = client.workflow.getHandle(workflowId);
  try {
    return await newestRun.executeUpdate(redeliverUpdate, { args: [{ sink }] });
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) {
      const failureError = toFailureError(error.cause, workflowId);
      if (failureError) throw failureError;
    } else if (!(error instanceof WorkflowNotFoundError)) throw error;
    // The run has ended meanwhile: its own ending says more.
    return readReceipt(client, await requirePrepareRun(client, { workflowId }));
  }
}

/** @throws the ending of a run that has ended without a receipt, or that it is open. */
async function readReceipt(client: Client, run: RunRef): Promise<Receipt> {
  const look = await lookAt(client, run);
  if ('receipt' in look) return look.receipt;
  throw new CommandError(`${run.workflowId} took no redelivery, and is open: repeat the command`);
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
  const message = `no run of ${workflowId} is open, and none delivered a token: nothing to deliver`;
  throw refusalError(message, { workflowId, type: 'NothingToDeliver' });
}
