import { Command } from '@commander-js/extra-typings';
import type { ProgramContext } from './cli/context';
import { formatExamples } from './cli/help';
import { parseRun } from './cli/option-parsers';
import { RUN } from './cli/options';

export const watchCommand = ({ withTemporal }: ProgramContext) =>
  new Command('watch')
    .description('follow a run until it ends or is undelivered')
    .argument('<run>', RUN, parseRun)
    .addHelpText(
      'after',
      '\nTo wait until the run ends, even while it is undelivered:' +
        ' temporal workflow result --workflow-id <id>\n' +
        formatExamples('watch 64f1c0ffee5eed0000000a71/64f1c0ffee5eed0000005c05'),
    )
    .action(async (workflowId) => {
      const { watch } = await import('./runs/follow.js');
      await withTemporal((context) => watch(context, workflowId));
    });
