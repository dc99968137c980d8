import { Command, Option } from '@commander-js/extra-typings';
import { FAILURE_TYPES, workflowIdFor } from '../../contract/names';
import { CommandError, EXIT_CODES } from './command-error';
import { collect, duration, time, organizationId, timeOrAge, uuid } from './option-parsers';

/** The commands with their options, and the types of these. `--help` loads this file, so it imports nothing heavy. */

type OptionsOf<Create extends (name: string) => { opts(): object }> = ReturnType<ReturnType<Create>['opts']>;

export type RequestOptions = OptionsOf<typeof requestCommand>;

/** A command whose options make a request. */
function requestCommand(name: string) {
  return new Command(name)
    .requiredOption('--org <id>', 'Atlas organization in which the link-token is created (required)')
    .requiredOption('--sink <name>', "name of a sink in the workers' configuration (required)")
    .option('--ip <address>', 'address or CIDR block of the source; repeatable', collect)
    .option(
      '--ips-file <file>',
      'file with an address or CIDR block on each line, - for standard input; # starts a comment',
    )
    .addOption(
      new Option(
        '--no-access-list',
        'create the token without an access list, for a source that skips it (Cloud Manager does)',
      ).conflicts(['ip', 'ipsFile']),
    )
    .option('--source-org <id>', 'Cloud Manager or Ops Manager organization that will use the token')
    .option('--requested-by <text>', 'who requested it, kept for the audit trail')
    .option('--change-reference <text>', 'change or ticket, kept for the audit trail');
}

type TargetOptions = OptionsOf<typeof targetCommand>;

/** A command whose options name the run of one pair of organizations. */
function targetCommand(name: string) {
  return new Command(name)
    .option('--org <id>', 'Atlas organization of the run; or --workflow-id', organizationId)
    .option('--source-org <id>', 'source organization of the run, if it has one', organizationId)
    .addOption(
      new Option('--workflow-id <id>', 'workflow id of the run, instead of --org and --source-org').conflicts(
        ['org', 'sourceOrg'],
      ),
    );
}

/** @throws CommandError when the options name no run. */
export function resolveWorkflowId({ org, sourceOrg, workflowId }: TargetOptions): string {
  if (workflowId) return workflowId;
  if (!org) throw new CommandError('name the run with --org, or with --workflow-id', EXIT_CODES.usage);
  return workflowIdFor(org, sourceOrg);
}

export type StartOptions = Pick<OptionsOf<typeof startCommand>, 'wait' | 'again' | 'dryRun'>;

export const startCommand = () =>
  requestCommand('start')
    .description('create a link-token and deliver it to a sink')
    .option('--wait', 'wait until the token is delivered or a round of delivery fails', false)
    .option('--again', 'create a token even if an earlier run has one, delivered or recoverable', false)
    .addOption(
      new Option(
        '--dry-run',
        'check the request in a worker, and start nothing; with --from, only check for earlier runs',
      )
        .default(false)
        .conflicts('wait'),
    )
    .addOption(
      new Option(
        '--from <file>',
        'start each request of a file, one JSON object per line; - for standard input',
      ).conflicts([
        ...['org', 'sourceOrg', 'sink', 'ip', 'ipsFile', 'accessList', 'requestedBy', 'changeReference'],
        'again',
      ]),
    )
    .on('option:from', function (this: Command) {
      for (const option of this.options) option.mandatory = false;
    });

export const watchCommand = () =>
  targetCommand('watch').description('follow a run until it ends or is undelivered');

export type ListOptions = OptionsOf<typeof listCommand>;

export const listCommand = () =>
  new Command('list')
    .description('list runs, open ones first, then closed ones, newest first; a run must match every filter')
    .option('--undelivered', 'open runs whose last round of delivery failed')
    .option(
      '--unconfirmed',
      'runs whose requests may have created tokens that no run received, with each such request',
    )
    .addOption(
      new Option(
        '--recoverable',
        'closed runs with a token that no run delivered; reads the histories of terminated runs',
      ).conflicts('undelivered'),
    )
    .addOption(
      new Option('--failure <type>', 'runs that ended with this failure type')
        .choices(FAILURE_TYPES)
        .conflicts('undelivered'),
    )
    .option('--org <id>', 'runs of this Atlas organization', organizationId)
    .option(
      '--since <time>',
      'open runs, and runs that closed after this time, such as 2026-11-25T09:00:00Z, or 2h for two hours ago',
      timeOrAge,
    )
    .option(
      '--details',
      'print the request of each run, and its failure or its receipt, on the same line',
      false,
    )
    .addOption(
      new Option(
        '--requests',
        'print only the request of the newest matching run of each pair, as start --from reads it',
      )
        .default(false)
        .conflicts('details'),
    );

export const cancelCommand = () =>
  targetCommand('cancel').description('cancel a run; a token that still arrives gets one delivery attempt');

export const redeliverCommand = () =>
  targetCommand('redeliver')
    .description('try now to deliver the token of an undelivered run')
    .option(
      '--sink <name>',
      "deliver to this sink instead of the request's; with --all, every token goes there",
    )
    .addOption(
      new Option('--all', 'every undelivered run of the task queue')
        .default(false)
        .conflicts(['org', 'sourceOrg', 'workflowId']),
    );

export const recoverCommand = () =>
  targetCommand('recover')
    .description('deliver the token of a closed run, by a new run that creates nothing')
    .requiredOption('--run-id <id>', 'the closed run that has the token (required)', uuid)
    .option('--sink <name>', "deliver to this sink instead of the request's");

export const keysCommand = () =>
  new Command('keys')
    .description('create the keys that seal tokens in histories')
    .requiredOption('--file <file>', 'file to write, mode 0600 (required)')
    .option('--rotate', 'add a new key that seals tokens; the others in the file still open them', false);

export const doctorCommand = () =>
  new Command('doctor')
    .description("check a worker's configuration and all that it uses; run it on the worker's host")
    .option('--config <file>', 'configuration file of the worker')
    .addOption(
      new Option('--remote', 'let a running worker check itself; needs no configuration')
        .default(false)
        .conflicts('config'),
    );

export type ScheduleOptions = Omit<OptionsOf<typeof scheduleCreateCommand>, keyof RequestOptions>;

export const scheduleCreateCommand = () =>
  requestCommand('create')
    .description(
      'create a schedule that creates a token when the source is not linked and has no recent token',
    )
    .requiredOption(
      '--cron <expression>',
      'cron expression, such as "0 6 * * 1"; repeatable (required)',
      collect,
    )
    .option('--timezone <name>', 'time zone of the cron expressions, such as Europe/Dublin')
    .option('--schedule-id <id>', 'id of the schedule, instead of the workflow id of the pair')
    .option('--jitter <duration>', 'delay each time by a random part of this', duration)
    .option('--until <time>', 'start nothing after this time, such as 2027-06-01T00:00:00Z', time)
    .option('--note <text>', 'note that Temporal shows with the schedule, until it pauses')
    .option('--always', 'create a token each time, even while the source is linked', false);
