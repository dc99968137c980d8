import { commandLine } from '../../shared/command-line';
import { isOpen } from '../../temporal/run-state';
import { refusalError } from '../cli/command-error';
import type { CommandContext } from '../cli/context';
import { requirePrepareRun } from './refusals';

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
    'a request to Atlas in progress is finished first,' +
      ' and if it brings a token, the run tries once to deliver it',
    'without a worker, the run stays open',
    `see how it ends, and what may be left: ${commandLine('watch', workflowId)}`,
  ]);
}
