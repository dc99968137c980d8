import { commandLine } from '../../shared/command-line';
import { findRun } from '../../temporal/describe-run';
import { isOpen } from '../../temporal/run-state';
import { refusalError } from '../cli/command-error';
import type { CommandContext } from '../cli/context';
import { createBulk, type BulkItem, type RunOutcome } from './bulk';
import { refuseOtherWorkflowType, requirePrepareRun } from './refusals';

/** @throws CommandError when the run has ended: Temporal accepts the request then, too. */
export async function cancelOne(context: CommandContext, workflowId: string): Promise<void> {
  const run = await requirePrepareRun(context.client, { workflowId });
  const { runId, status, taskQueue } = run;
  const seeEnding = `see how it ends, and what may be left: ${commandLine('watch', workflowId)}`;
  if (!isOpen(run)) {
    const problem = `${workflowId} has ended (${status.name}): there is nothing to cancel`;
    const facts = { workflowId, runId, status: status.name, state: 'ended' } as const;
    throw refusalError([problem, seeEnding], facts);
  }
  const lines = [
    `a worker of task queue ${taskQueue} ends it, after a request in progress to Atlas or to a` +
      ' sink; a token that is not delivered then is revoked',
    seeEnding,
  ];
  const outcome = await requestCancellation(context, workflowId, runId);
  createBulk(context.output).print({ workflowId }, { ...outcome, lines });
}

/**
 * Cancels the open runs of these pairs. It skips a pair without an open run, so it can be repeated.
 */
export async function cancelAll(
  context: CommandContext,
  items: readonly BulkItem[],
): Promise<void> {
  const { client, output } = context;
  output.setFollowUp('to cancel the rest, repeat the command');
  const bulk = createBulk(output, items.length, 'request');

  async function cancelOpen({ workflowId }: BulkItem): Promise<RunOutcome> {
    const run = await findRun(client, { workflowId });
    if (!run) return { action: 'skipped', reason: 'Temporal has no run' };
    refuseOtherWorkflowType(run);
    const { runId, status } = run;
    if (isOpen(run)) return requestCancellation(context, workflowId, runId);
    return { action: 'skipped', reason: `run ${runId} has ended (${status.name})`, runId };
  }

  await bulk.showProgress(
    (count) => `${count} to cancel`,
    () => bulk.forEach(items, cancelOpen),
  );
  bulk.printSummary();
}

async function requestCancellation(
  { client }: CommandContext,
  workflowId: string,
  runId: string,
): Promise<RunOutcome> {
  await client.workflow.getHandle(workflowId, runId).cancel();
  return { action: 'cancelling', reason: `run ${runId}`, runId };
}
