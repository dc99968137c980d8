import type { Client } from '@temporalio/client';
import { CommandError } from './command-error';
import type { Output } from './output';

/**
 * Asks a run to stop. A POST under way is waited for, and the token it brings is kept, sealed, for `redeliver`.
 */
export async function cancel(client: Client, workflowId: string, output: Output): Promise<void> {
  const handle = client.workflow.getHandle(workflowId);
  // Temporal takes the request for a run that has ended, too.
  const { status } = await handle.describe();
  if (status.name !== 'RUNNING') {
    throw new CommandError(`${workflowId} has ended (${status.name}): there is nothing to stop`);
  }
  await handle.cancel();
  output.outcome(
    { workflowId, cancelRequested: true },
    `asked ${workflowId} to stop; if Atlas was being asked, the answer is waited for and a token is kept for redeliver`,
  );
}
