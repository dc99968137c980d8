import { commandLine } from '../shared/command-line';
import { isOpen } from '../temporal/visibility';
import { CommandError, EXIT_CODES } from './cli/command-error';
import type { CommandContext } from './cli/temporal';
import { refuseForeign } from './runs/refusals';

/** Requests the cancellation of a run, and does not wait for its end. */
export async function cancel({ client, output }: CommandContext, workflowId: string): Promise<void> {
  // Temporal accepts the request for a run that has ended, too.
  const run = await client.workflow.getHandle(workflowId).describe();
  refuseForeign(run);
  const { runId } = run;
  if (!isOpen(run)) {
    const status = run.status.name;
    throw new CommandError(
      [
        `${workflowId} has ended (${status}): there is nothing to cancel`,
        `see how it ended, and what may be left: ${commandLine('watch', workflowId)}`,
      ],
      EXIT_CODES.refused,
      { workflowId, runId, status, refused: 'ended' },
    );
  }
  await client.workflow.getHandle(workflowId, runId).cancel();
  output.print({ workflowId, runId, cancelRequested: true }, [
    `requested cancellation of ${workflowId}`,
    'the run sends no new request to Atlas. If one is in progress, the run waits for the response,' +
      ' and makes one attempt to deliver a token that arrives',
    `see how it ends, and what may be left: ${commandLine('watch', workflowId)}`,
  ]);
}
