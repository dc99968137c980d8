import type { Client } from '@temporalio/client';
import type { Output } from './output';

/**
 * Asks a run to stop. A POST under way is waited for, and the token it brings is kept, sealed, for `redeliver`.
 */
export async function cancel(client: Client, workflowId: string, output: Output): Promise<void> {
  await client.workflow.getHandle(workflowId).cancel();
  output.outcome(
    { workflowId, cancelRequested: true },
    `asked ${workflowId} to stop; if Atlas was being asked, the answer is waited for and a token is kept for redeliver`,
  );
}
