import { WorkflowNotFoundError, WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import type { Receipt } from '../../contract/schemas';
import { redeliverUpdate } from '../../contract/workflows';
import { commandLine } from '../../shared/command-line';
import { shellQuote } from '../../shared/text';
import { describeRun, findRun } from '../../temporal/describe-run';
import { findEarlierToken } from '../../temporal/earlier-token';
import { listRuns } from '../../temporal/list-runs';
import { findRunState, isOpen } from '../../temporal/run-state';
import { CommandError, EXIT_CODES, refusalError } from '../cli/command-error';
import type { CommandContext } from '../cli/context';
import { createBulk, toDelivered, type BulkItem } from './bulk';
import { toFailureError } from './describe-ending';
import { lookAt } from './look-at';
import { readStatus } from './read-status';
import { refuseEarlierToken, refuseOtherWorkflowType, requirePrepareRun } from './refusals';
import { NO_RESPONSE, PAUSED, findMissingWorker } from './why-stuck';

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
  const { client, taskQueue, output } = context;
  const runs = workflowId === null ? await findUndelivered(client, taskQueue) : [{ workflowId }];
  const bulk =
    workflowId === null ? createBulk(output, runs.length, 'undelivered run') : createBulk(output);
  output.setFollowUp(
    workflowId === null
      ? 'the runs go on; see which are still undelivered: live-migration-prep list --undelivered'
      : `the run goes on; follow it: ${commandLine('watch', workflowId)}`,
  );
  await bulk.showProgress(
    (count) => `${count} to deliver (list --undelivered says why one waits)`,
    () =>
      bulk.forEach(runs, async (run) =>
        toDelivered(await sendRedeliver(context, run.workflowId, sink)),
      ),
  );
  bulk.printSummary();
}

/** Those of one task queue only: another may have other sinks of the same names. */
async function findUndelivered(client: Client, taskQueue: string): Promise<BulkItem[]> {
  const runs: BulkItem[] = [];
  for await (const run of listRuns(client, taskQueue, 'CloseTime IS NULL')) {
    if (findRunState(run) === 'undelivered') runs.push({ workflowId: run.workflowId });
  }
  return runs;
}

async function sendRedeliver(
  { client, output }: CommandContext,
  workflowId: string,
  sink?: string,
): Promise<Receipt> {
  const run = await describeRun(client, { workflowId });
  if (!isOpen(run)) return refuseClosed(client, workflowId);
  refuseOtherWorkflowType(run);
  output.note(await findMissingWorker(client, run.taskQueue));
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
    const { runId } = await requirePrepareRun(client, { workflowId });
    const look = await lookAt(client, { workflowId, runId }, null);
    if ('receipt' in look) return look.receipt;
    throw error;
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
