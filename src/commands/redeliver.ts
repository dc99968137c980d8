import { WorkflowNotFoundError, WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import { commandLine } from '../contract/command-line';
import { readMemo } from '../contract/memo';
import { UPDATES } from '../contract/names';
import type { Receipt } from '../contract/schemas';
import { listRuns } from '../temporal/visibility';
import { createBulkRunner, outcomeOf, type RunOutcome } from './runs/bulk';
import { CommandError, EXIT_CODES } from './cli/command-error';
import { describeReceipt, failureError } from './cli/endings';
import type { CommandContext } from './cli/temporal';
import { refuseForeign, refuseIfDelivered, refuseIfTokenLeft } from './runs/refusals';
import { noteMissingWorker } from './runs/missing-worker';
import { isOpen, runsOf } from './runs/find-runs';
import { follow } from './runs/follow';

/** Delivers the token of an open run now, to the sink of its request or to another. */
export async function redeliver(
  { client, output }: CommandContext,
  workflowId: string,
  sink?: string,
): Promise<void> {
  const run = await client.workflow.getHandle(workflowId).describe();
  if (!isOpen(run)) return refuseClosed(client, workflowId);
  refuseForeign(run);
  await noteMissingWorker(client, run.taskQueue, output);
  output.setFollowUp(`the run goes on; follow it: ${commandLine('watch', workflowId)}`);
  const receipt = await sendRedeliver(client, workflowId, sink).catch((error: unknown) => {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    // It ended meanwhile.
    return refuseClosed(client, workflowId);
  });
  const requested = sink ?? readMemo(run.memo).sink;
  output.print({ workflowId, receipt }, [...elsewhere(receipt, requested), ...describeReceipt(receipt)]);
}

/** Delivers, now, the token of every open run of a task queue that is undelivered: its memo says so. */
export async function redeliverAll(
  { client, taskQueue, output }: CommandContext,
  sink?: string,
): Promise<void> {
  const runs: UndeliveredRun[] = [];
  for await (const { workflowId, memo } of listRuns(client, taskQueue, 'CloseTime IS NULL')) {
    const { step, sink: requested } = readMemo(memo);
    if (step === 'undelivered') runs.push({ workflowId, sink: requested });
  }
  const bulk = createBulkRunner(runs.length, output);
  if (runs.length > 0) await noteMissingWorker(client, taskQueue, output);
  output.setFollowUp(
    'the runs go on; see which are still undelivered: live-migration-prep list --undelivered',
  );
  await bulk.run(runs, (run) => redeliverOne(client, run, sink));
  bulk.finish('undelivered run(s)');
}

/** Another redelivery, or the round that this one stopped, may have delivered first. */
function elsewhere({ sink }: Receipt, requested: string | null): string[] {
  if (requested === null || requested === sink) return [];
  return [`delivered to sink ${sink}, not to ${requested}: another delivery of this token came first`];
}

interface UndeliveredRun {
  workflowId: string;
  /** Of its request. */
  sink: string | null;
}

async function redeliverOne(client: Client, run: UndeliveredRun, sink?: string): Promise<RunOutcome> {
  try {
    const outcome = await outcomeOf(sendRedeliver(client, run.workflowId, sink));
    const [note] = outcome.receipt ? elsewhere(outcome.receipt, sink ?? run.sink) : [];
    return note ? { ...outcome, reason: `${note}; ${outcome.reason}` } : outcome;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    return { action: 'skipped', reason: 'the run ended meanwhile' };
  }
}

async function sendRedeliver(client: Client, workflowId: string, sink?: string): Promise<Receipt> {
  try {
    return await client.workflow
      .getHandle(workflowId)
      .executeUpdate<Receipt, [{ sink?: string | undefined }]>(UPDATES.redeliver, { args: [{ sink }] });
  } catch (error) {
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    const known = failureError(error.cause, workflowId);
    if (known) throw known;
    // The run ended otherwise, as by a termination: the run itself tells more.
    return follow(client, { workflowId });
  }
}

async function refuseClosed(client: Client, workflowId: string): Promise<never> {
  const runs = await runsOf(client, workflowId);
  await refuseIfTokenLeft(client, runs);
  await refuseIfDelivered(client, runs);
  throw new CommandError(
    `no run of ${workflowId} is open, and no closed run left a token: nothing to deliver`,
    EXIT_CODES.refused,
    { workflowId, refused: 'nothingToDeliver' },
  );
}
