import type { ProgramContext } from './cli/context';
import { formatExamples } from './cli/help';
import { resolveWorkflowId, targetCommand } from './cli/options';

export const watchCommand = ({ withTemporal }: ProgramContext) =>
  targetCommand('watch')
    .description('follow a run until it ends or is undelivered')
    .addHelpText(
      'after',
      '\nTo wait until the run ends, even while it is undelivered:' +
        ' temporal workflow result --workflow-id <id>\n' +
        formatExamples(
          'watch --org 64f1c0ffee5eed0000000a71 --source-org 64f1c0ffee5eed0000005c05',
        ),
    )
    .action(async (options) => {
      const workflowId = resolveWorkflowId(options);
      const { watch } = await import('./runs/follow.js');
      await withTemporal((context) => watch(context, workflowId));
    });
