import { Command, Option } from '@commander-js/extra-typings';
import { FAILURE_TYPES } from '../contract/failure-types';
import type { ProgramContext } from './cli/context';
import { formatExamples } from './cli/help';
import { parseOrgId, parseTimeOrAge } from './cli/option-parsers';

export const listCommand = ({ withTemporal }: ProgramContext) =>
  new Command('list')
    .description(
      'list runs, open ones first, then closed ones, newest first; a run must match every filter',
    )
    .option('--undelivered', 'open runs with a failed round of delivery, or a failed redelivery')
    .option(
      '--unconfirmed',
      'runs with tokens that Atlas may have created and no run received, with each attempt',
    )
    .addOption(
      new Option(
        '--abandoned',
        'closed runs with a token that was not delivered; reads histories',
      ).conflicts('undelivered'),
    )
    .addOption(
      new Option('--failure <type>', 'runs that ended with this failure type')
        .choices(FAILURE_TYPES)
        .conflicts('undelivered'),
    )
    .option('--org <id>', 'runs of this Atlas organization', parseOrgId)
    .option(
      '--since <time>',
      'open runs, and runs that closed after this time, such as 2026-11-25T09:00:00Z,' +
        ' or 2h for two hours ago',
      parseTimeOrAge,
    )
    .option(
      '--details',
      'print the request of each run, and its failure or its receipt, on the same line',
    )
    .addHelpText(
      'after',
      formatExamples('list --undelivered --details', 'list --abandoned --since 3d'),
    )
    .action(async (options) => {
      const { printRuns } = await import('./list/print-runs.js');
      return withTemporal((context) => printRuns(context, options));
    });
