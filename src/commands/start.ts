import { Option } from '@commander-js/extra-typings';
import type { ProgramContext } from './cli/context';
import { formatExamples } from './cli/help';
import { requestCommand } from './cli/options';

export function startCommand({ stdin, withTemporal }: ProgramContext) {
  const command = requestCommand('start');
  const requestOptions = command.options.map((option) => option.attributeName());
  return command
    .description('create a link-token and deliver it to a sink')
    .option('--wait', 'wait until the token is delivered or a round of delivery fails')
    .option('--again', 'create a token even if an earlier run has one, delivered or not')
    .addOption(
      new Option('--dry-run', 'let a worker check the request, and start nothing').conflicts(
        'wait',
      ),
    )
    .addOption(
      new Option(
        '--from <file>',
        'start each request of a file, one JSON object per line; - for standard input',
      ).conflicts([...requestOptions, 'again']),
    )
    .addHelpText(
      'after',
      formatExamples(
        'start --org 64f1c0ffee5eed0000000a71 --source-org 64f1c0ffee5eed0000005c05' +
          ' --no-access-list --sink drop --wait',
        'start --from requests.jsonl --wait',
      ),
    )
    .action(async ({ wait, dryRun, from, ...options }) => {
      if (from !== undefined) {
        const { readRequests } = await import('./runs/requests-file.js');
        const requests = await readRequests(from, stdin);
        const { startMany, dryRunMany } = await import('./runs/start-requests.js');
        return withTemporal((context) =>
          dryRun ? dryRunMany(context, requests) : startMany(context, requests, wait),
        );
      }
      const { makeRequest } = await import('./runs/make-request.js');
      const request = await makeRequest(options, 'nothing was started', stdin);
      const { start, dryRunStart } = await import('./runs/start-requests.js');
      return withTemporal((context) =>
        dryRun ? dryRunStart(context, request) : start(context, request, wait),
      );
    });
}
