import { Command } from '@commander-js/extra-typings';
import type { ProgramContext } from './cli/context';
import { formatExamples } from './cli/help';
import { parseRun, parseSinkName } from './cli/option-parsers';
import { RUN, requireRunOr } from './cli/options';

export const redeliverCommand = ({ withTemporal }: ProgramContext) =>
  new Command('redeliver')
    .description('make one attempt now to deliver the token of an undelivered run')
    .argument('[run]', RUN, parseRun)
    .option(
      '--sink <name>',
      "deliver to this sink instead of the request's; with --all, every token goes there",
      parseSinkName,
    )
    .option('--all', 'every undelivered run of the task queue')
    .addHelpText(
      'after',
      formatExamples(
        'redeliver 64f1c0ffee5eed0000000a71/64f1c0ffee5eed0000005c05',
        'redeliver --all --sink drop',
      ),
    )
    .action(async (run, { sink, all }) => {
      const workflowId = requireRunOr('--all', all, run);
      const { redeliver } = await import('./runs/send-redeliver.js');
      await withTemporal((context) => redeliver(context, workflowId, sink));
    });
