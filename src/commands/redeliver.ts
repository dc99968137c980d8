import { Option } from '@commander-js/extra-typings';
import type { ProgramContext } from './cli/context';
import { formatExamples } from './cli/help';
import { parseSinkName } from './cli/option-parsers';
import { resolveWorkflowId, targetCommand } from './cli/options';

export const redeliverCommand = ({ withTemporal }: ProgramContext) =>
  targetCommand('redeliver')
    .description('make one attempt now to deliver the token of an undelivered run')
    .option(
      '--sink <name>',
      "deliver to this sink instead of the request's; with --all, every token goes there",
      parseSinkName,
    )
    .addOption(
      new Option('--all', 'every undelivered run of the task queue').conflicts([
        'org',
        'sourceOrg',
        'workflowId',
      ]),
    )
    .addHelpText(
      'after',
      formatExamples(
        'redeliver --org 64f1c0ffee5eed0000000a71 --source-org 64f1c0ffee5eed0000005c05',
        'redeliver --all --sink drop',
      ),
    )
    .action(async ({ sink, all, ...options }) => {
      const id = all ? null : resolveWorkflowId(options);
      const { redeliver } = await import('./runs/send-redeliver.js');
      await withTemporal((context) => redeliver(context, id, sink));
    });
