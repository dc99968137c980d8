import type { Client } from '@temporalio/client';
import { UPDATES } from '../contract/names';
import type { Receipt } from '../contract/schemas';
import { outcomeOfUpdate } from './await-delivery';
import { CommandError } from './command-error';
import { describeReceipt } from './outcome';
import type { Output } from './output';
import { refuseForeign, refuseIfDelivered, refuseIfTokenLeft } from './refusals';
import { isOpen, runsOf } from './runs';

/** Delivers the token of an open run now, to the sink of its request or to another. */
export async function redeliver(
  client: Client,
  workflowId: string,
  sink: string | undefined,
  output: Output,
): Promise<void> {
  const description = await client.workflow.getHandle(workflowId).describe();
  const { runId, type, memo } = description;
  const run = { workflowId, runId, type, status: description.status.name, startedAt: description.startTime };
  if (!isOpen(run)) return refuseClosed(client, workflowId, output);
  refuseForeign(run);
  const receipt = await sendRedeliver(client, workflowId, sink);
  const requested = sink ?? memo?.['sink'];
  output.outcome({ workflowId, receipt }, [...elsewhere(receipt, requested), ...describeReceipt(receipt)]);
}

/**
 * Sends the Update `redeliver` to the open run of a workflow id.
 *
 * @throws CommandError with the outcome; WorkflowNotFoundError when no run of the id is open.
 */
export function sendRedeliver(
  client: Client,
  workflowId: string,
  sink: string | undefined,
): Promise<Receipt> {
  const update = client.workflow
    .getHandle(workflowId)
    .executeUpdate<Receipt, [{ sink?: string }]>(UPDATES.redeliver, { args: [{ ...(sink && { sink }) }] });
  return outcomeOfUpdate(update, client, workflowId);
}

/** Another redelivery, or the round that this one stopped, may have delivered first. */
export function elsewhere({ sink }: Receipt, requested: unknown): string[] {
  if (typeof requested !== 'string' || requested === sink) return [];
  return [`delivered to sink ${sink}, not to ${requested}: another delivery of this token came first`];
}

async function refuseClosed(client: Client, workflowId: string, output: Output): Promise<never> {
  const runs = await runsOf(client, workflowId);
  await refuseIfTokenLeft(client, runs);
  await refuseIfDelivered(client, runs, output);
  throw new CommandError(
    `no run of ${workflowId} is open, and no closed run left a token: nothing to deliver`,
    1,
    {
      workflowId,
    },
  );
}
