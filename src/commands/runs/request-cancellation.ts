import { commandLine } from '../../shared/command-line';
import { findRun } from '../../temporal/describe-run';
import { isOpen } from '../../temporal/run-state';
import { refusalError } from '../cli/command-error';
import type { CommandContext } from '../cli/context';
import { createBulk, type BulkItem, type RunOutcome } from './bulk';
import { refuseOtherWorkflowType, requirePrepareRun } from './refusals';

/**
 * Requests the cancellation of the open runs of these pairs. It skips a pair without an open run,
 * so it can be repeated.
 */
export async function cancelAll(
  { client, output }: CommandContext,
  items: readonly BulkItem[],
): Promise<void> {
  output.setFollowUp('to cancel the rest, repeat the command');
  const bulk = createBulk(output, items.length, 'request');

  async function cancelOne({ workflowId }: BulkItem): Promise<RunOutcome> {
    const run = await findRun(client, { workflowId });
    if (!run) return { action: 'skipped', reason: 'Temporal has no run' };
    refuseOtherWorkflowType(run);
    const { runId, status } = run;
    if (!isOpen(run)) {
      return { action: 'skipped', reason: `run ${runId} has ended (${status.name})`, runId };
    }
    await client.workflow.getHandle(workflowId, runId).cancel();
    return { action: 'cancelling', reason: `run ${runId}`, runId };
  }

  await bulk.showProgress(
    (count) => `${count} to cancel`,
    () => bulk.forEach(items, cancelOne),
  );
  bulk.printSummary();
}

export async function requestCancellation(
  { client, output }: CommandContext,
  workflowId: string,
): Promise<void> {
  // Temporal accepts the request for a run that has ended, too.
  const run = await requirePrepareRun(client, { workflowId });
  const { runId, status, taskQueue } = run;
  if (!isOpen(run)) {
    throw refusalError(
      [
        `${workflowId} has ended (${status.name}): there is nothing to cancel`,
        `see how it ended, and what may be left: ${commandLine('watch', workflowId)}`,
      ],
      { workflowId, runId, status: status.name, state: 'ended' },
    );
  }
  await client.workflow.getHandle(workflowId, runId).cancel();
  output.print({ workflowId, runId, cancelRequested: true }, [
    `requested cancellation of ${workflowId}: a worker of task queue ${taskQueue} ends the run`,
    'a request to Atlas or to a sink in progress is finished first;' +
      ' a token that is not delivered then is revoked',
    'without a worker, the run stays open',
    `see how it ends, and what may be left: ${commandLine('watch', workflowId)}`,
  ]);
}
