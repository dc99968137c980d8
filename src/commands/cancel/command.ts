import { commandLine } from '../../shared/command-line';
import { refusalError } from '../cli/command-error';
import type { CommandContext, ProgramContext } from '../cli/context';
import { formatExamples } from '../cli/help';
import { resolveWorkflowId, targetCommand } from '../shared/options';

export const cancelCommand = ({ withTemporal }: ProgramContext) =>
  targetCommand('cancel')
    .description('cancel a run; a token that still arrives gets one delivery attempt')
    .addHelpText(
      'after',
      formatExamples('cancel --org 64f1c0ffee5eed0000000a71 --source-org 64f1c0ffee5eed0000005c05'),
    )
    .action(async (options) => {
      const workflowId = resolveWorkflowId(options);
      await withTemporal((context) => cancel(context, workflowId));
    });

async function cancel({ client, output }: CommandContext, workflowId: string): Promise<void> {
  const [{ requirePrepareRun }, { isOpen }] = await Promise.all([
    import('../shared/refusals.js'),
    import('../../temporal/describe-run.js'),
  ]);
  // Temporal accepts the request for a run that has ended, too.
  const run = await requirePrepareRun(client, { workflowId });
  const { runId, status } = run;
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
    `requested cancellation of ${workflowId}`,
    'the run sends no new request to Atlas.' +
      ' If one is in progress, the run waits for the response,' +
      ' and makes one attempt to deliver a token that arrives',
    `see how it ends, and what may be left: ${commandLine('watch', workflowId)}`,
  ]);
}
