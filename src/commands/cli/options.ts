import { Command, Option } from '@commander-js/extra-typings';
import { FAILURE_TYPES, workflowIdFor, type FailureType } from '../../contract/names';
import { CommandError, EXIT_CODES } from './command-error';
import { collect, duration, futureTime, nonEmpty, organizationId, pastTime, uuid } from './option-parsers';

/**
 * The commands with their options, and the types of these. This file stays free of what takes long to load: `--help`
 * needs it.
 */

type OptionsOf<Create extends (name: string) => { opts(): object }> = ReturnType<ReturnType<Create>['opts']>;

const failure = <Type extends FailureType>(types: readonly Type[]) =>
  new Option('--failure <type>', 'runs that ended with this failure type').choices(types);
/** Somebody cancelled the others on purpose. */
const RESTARTED_TYPES = FAILURE_TYPES.filter((type) => type !== 'Cancelled');

export type RequestOptions = OptionsOf<typeof requestCommand>;

/** A command whose options make a request. */
function requestCommand(name: string) {
  return new Command(name)
    .requiredOption('--org <id>', 'Atlas organization in which the link-token is created')
    .requiredOption('--sink <name>', "name of a sink in the workers' configuration")
    .option('--ip <address>', 'address or CIDR block of the source; repeatable', collect)
    .option('--ips-file <file>', 'file with one address or CIDR block per line; # starts a comment')
    .addOption(
      new Option(
        '--no-access-list',
        'send no address, for a source that skips the access list (Cloud Manager does)',
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
export function workflowIdOf({ org, sourceOrg, workflowId }: TargetOptions): string {
  if (workflowId) return workflowId;
  if (!org) throw new CommandError('name the run with --org, or with --workflow-id', EXIT_CODES.usage);
  return workflowIdFor(org, sourceOrg);
}

export type StartOptions = Pick<OptionsOf<typeof startCommand>, 'wait' | 'again' | 'dryRun'>;
export type StartFromOptions = Omit<StartOptions, 'again'> & { results?: string | undefined };

export const startCommand = () =>
  requestCommand('start')
    .description('create a link-token and deliver it to a sink')
    .option('--wait', 'wait until the token is delivered or a round of delivery fails', false)
    .option('--again', 'create a token even if an earlier run delivered or left one', false)
    .addOption(
      new Option(
        '--dry-run',
        'start nothing; let a worker check the request (with --from: only look at earlier runs)',
      )
        .default(false)
        .conflicts(['wait', 'results']),
    )
    .addOption(
      new Option('--from <file>', 'start each request of a file, one JSON object per line').conflicts([
        ...['org', 'sourceOrg', 'sink', 'ip', 'ipsFile', 'accessList', 'requestedBy', 'changeReference'],
        'again',
      ]),
    )
    .option('--results <file>', 'with --from: write the outcome of each line to this file, as JSON')
    .on('option:from', function (this: Command) {
      for (const option of this.options) option.mandatory = false;
    });

export const watchCommand = () =>
  targetCommand('watch').description('follow a run until it ends or is undelivered');

/** A run must match every filter. */
export type ListOptions = OptionsOf<typeof listCommand>;

export const listCommand = () =>
  new Command('list')
    .description(
      'list runs that match every filter: open ones first, then closed ones by their end, newest first',
    )
    .option('--undelivered', 'open runs whose last round of delivery failed')
    .option('--sink <name>', 'undelivered runs that wait on this sink')
    .option('--unconfirmed', 'runs with tokens that Atlas may have created and no run received')
    .addOption(
      new Option(
        '--report',
        'list, by organization, the attempts that may have created those tokens, to compare in Atlas',
      ).implies({ unconfirmed: true }),
    )
    .addOption(failure(FAILURE_TYPES).conflicts(['undelivered', 'sink']))
    .option('--org <id>', 'runs of this Atlas organization', organizationId)
    .option('--requested-by <text>', 'runs requested by exactly this')
    .option('--change-reference <text>', 'runs of exactly this change or ticket')
    .option(
      '--since <time>',
      'open runs, and runs that closed after this time, such as 2026-11-25T09:00:00Z, or 2h for two hours ago',
      pastTime,
    );

export const cancelCommand = () =>
  targetCommand('cancel').description('cancel a run; a token that still arrives gets one delivery attempt');

export const redeliverCommand = () =>
  targetCommand('redeliver')
    .description('deliver the token of an undelivered run now, or the token that a closed run left')
    .option(
      '--sink <name>',
      "deliver to this sink instead of the request's; with --all, every token goes there",
      nonEmpty,
    )
    .option('--run-id <id>', 'deliver the token that this closed run left', uuid)
    .addOption(
      new Option('--all', 'every undelivered run of the task queue')
        .default(false)
        .conflicts(['org', 'sourceOrg', 'workflowId', 'runId']),
    );

export type RestartOptions = OptionsOf<typeof restartCommand>;

export const restartCommand = () =>
  new Command('restart')
    .description('start failed runs again once the cause is fixed: one first, then the others')
    .requiredOption(
      '--since <time>',
      'runs that failed after this time, such as 2026-11-25T09:00:00Z, or 2h for two hours ago',
      pastTime,
    )
    .addOption(failure(RESTARTED_TYPES).default('AtlasRequestRejected' as const))
    .option('--dry-run', 'only print what would be done', false);

export const keysCommand = () =>
  new Command('keys')
    .description('create the keys that seal tokens in histories')
    .requiredOption('--file <file>', 'file to write, mode 0600')
    .option('--rotate', 'add a new key that seals tokens; the others in the file still open them', false);

export const doctorCommand = () =>
  new Command('doctor')
    .description("check a worker's configuration and all that it uses; run it on the worker's host")
    .option('--config <file>', 'configuration file of the worker')
    .addOption(
      new Option('--remote', 'let a running worker check itself; needs no configuration')
        .default(false)
        .conflicts('config'),
    )
    .option('--strict', 'exit with 1 on warnings, too', false);

export type ScheduleOptions = Omit<OptionsOf<typeof scheduleCreateCommand>, keyof RequestOptions>;

export const scheduleCreateCommand = () =>
  requestCommand('create')
    .description(
      'create a schedule that creates a token when the link is down and the last token is not recent',
    )
    .requiredOption('--cron <expression>', 'cron expression, such as "0 6 * * 1"; repeatable', collect)
    .option('--timezone <name>', 'time zone of the cron expressions, such as Europe/Dublin')
    .option('--schedule-id <id>', 'id of the schedule, instead of the workflow id of the pair')
    .option('--jitter <duration>', 'delay each time by a random part of this', duration)
    .option('--until <time>', 'start nothing after this time, such as 2027-06-01T00:00:00Z', futureTime)
    .option('--note <text>', 'note that Temporal shows with the schedule, until it pauses')
    .option('--always', 'create a token each time, even while the source is linked', false);

export const scheduleListCommand = () =>
  new Command('list').description(
    'list the schedules of prepareOnSchedule, with their next time and last outcome',
  );
