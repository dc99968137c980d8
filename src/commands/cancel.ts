import { Command } from '@commander-js/extra-typings';
import type { ProgramContext } from './cli/context';
import { formatExamples } from './cli/help';
import { parseRun } from './cli/option-parsers';
import { RUN, requireRunOr } from './cli/options';

export const cancelCommand = ({ stdin, withTemporal }: ProgramContext) =>
  new Command('cancel')
    .description('cancel a run, or many; a token that is not delivered is revoked')
    .argument('[run]', RUN, parseRun)
    .option(
      '--from <file>',
      'cancel the open run of each request of a file, such as that which start --from took;' +
        ' - for standard input',
    )
    .addHelpText(
      'after',
      formatExamples(
        'cancel 64f1c0ffee5eed0000000a71/64f1c0ffee5eed0000005c05',
        'cancel --from requests.jsonl',
      ),
    )
    .action(async (run, { from }) => {
      const workflowId = requireRunOr('--from', from, run);
      const { cancelAll, cancelOne } = await import('./runs/cancel-runs.js');
      if (workflowId === null) {
        const { readRequests } = await import('./runs/requests-file.js');
        const requests = await readRequests(from ?? '-', stdin, 'nothing was cancelled');
        return withTemporal((context) => cancelAll(context, requests));
      }
      await withTemporal((context) => cancelOne(context, workflowId));
    });
