import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { WORKFLOW_TYPES, type RedeliverRequest } from '../contract/names';
import { CommandError } from './command-error';
import { describeReceipt, receiptOf } from './ending';
import type { Output } from './output';
import { findUndeliveredToken } from './runs';

export interface RedeliverOptions {
  taskQueue: string;
  /** Another sink than the one the token was meant for. */
  sink?: string;
}

/** Hands over a token that an earlier run kept. Nothing is created anew. */
export async function redeliver(
  client: Client,
  workflowId: string,
  { taskQueue, sink }: RedeliverOptions,
  output: Output,
): Promise<void> {
  const undelivered = await findUndeliveredToken(client, workflowId);
  if (!undelivered) {
    throw new CommandError(
      `${workflowId} holds no token that waits for delivery, as far as the namespace's retention reaches back`,
    );
  }
  const request: RedeliverRequest = { sealedToken: undelivered.sealedToken, sink: sink ?? undelivered.sink };
  output.say(
    `redelivering token ${request.sealedToken.deliveryId} of run ${undelivered.runId} to ${request.sink}`,
  );
  try {
    // The same workflow id, for which the token was sealed; never while another run of it is under way.
    const handle = await client.workflow.start(WORKFLOW_TYPES.redeliver, {
      workflowId,
      taskQueue,
      args: [request],
      workflowIdConflictPolicy: 'FAIL',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      staticSummary: `Redeliver token ${request.sealedToken.deliveryId} into ${request.sink}`,
    });
    const receipt = await receiptOf(handle);
    output.outcome({ workflowId, receipt }, describeReceipt(receipt));
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    throw new CommandError('a run of this workflow id is under way: wait for it to end, or cancel it');
  }
}
