import { Option } from '@commander-js/extra-typings';
import type { PrepareRequest } from '../contract/schemas';
import { workflowIdFor } from '../contract/workflow-id';
import type { ProgramContext } from './cli/context';
import { formatExamples } from './cli/help';
import { requestCommand } from './cli/options';

export function startCommand({ stdin, withTemporal }: ProgramContext) {
  const command = requestCommand('start');
  const requestOptions = command.options.map((option) => option.attributeName());
  return command
    .description('create a link-token and deliver it to a sink')
    .option('--wait', 'wait until the token is delivered or a round of delivery fails')
    .option('--again', 'create a token even if an earlier run delivered one')
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
      const [{ makeRequest }, { readRequests }, { start, dryRunStart }] = await Promise.all([
        import('./runs/make-request.js'),
        import('./runs/requests-file.js'),
        import('./runs/start-requests.js'),
      ]);
      const requests =
        from === undefined
          ? [withId(await makeRequest(options, 'nothing was started', stdin))]
          : await readRequests(from, stdin);
      return withTemporal((context) =>
        dryRun ? dryRunStart(context, requests) : start(context, requests, wait),
      );
    });
}

const withId = (request: PrepareRequest) => ({ workflowId: workflowIdFor(request), request });
