import { Command, CommanderError, Option, type CommandUnknownOpts } from '@commander-js/extra-typings';
import type { Client } from '@temporalio/client';
import { DEFAULT_TASK_QUEUE, FAILURE_TYPES } from '../contract/names';
import { VERSION } from '../http/version';
import { CommandError, EXIT_CODES, type ExitCode } from './command-error';
import { HELP, examplesOf, optionDescription } from './help';
import {
  collect,
  duration,
  futureTime,
  nonEmpty,
  organizationId,
  requestCommand,
  shortText,
  targetCommand,
  pastTime,
  uuid,
} from './options';
import type { Io } from './io';
import { createOutput } from './output';
import { createStop, type Stop } from './stop';
import { workflowIdOf } from './target';

export interface Program {
  /** @param args without the names of Node and of the program. */
  run(args: readonly string[]): Promise<ExitCode>;
}

/** The command line, for a process or for a test. */
export function createProgram(io: Io): Program {
  return {
    async run(args) {
      const stop = createStop();
      io.interrupt?.addEventListener('abort', stop.interrupt);
      const program = createCommands(io, stop);
      try {
        await stop.race(program.parseAsync([...args], { from: 'user' }));
        return EXIT_CODES.done;
      } catch (error) {
        // Where commander gave up, it may not have read --json yet.
        const json = program.opts().json || (error instanceof CommanderError && args.includes('--json'));
        const reported = errorOf(error);
        if (reported.lines.length > 0) createOutput(io, json).error(reported);
        return reported.exitCode;
      }
    },
  };
}

/** Each command loads what it needs when it runs: `--help` and usage errors need no Temporal client. */
function createCommands(io: Io, stop: Stop) {
  const program = new Command('live-migration-prep')
    .description(
      'Creates MongoDB Atlas link-tokens and delivers them to sinks, by durable Temporal workflows.',
    )
    .version(VERSION, '--version', 'print the version')
    .option('--json', 'print JSON, one object per line', false)
    .addOption(
      new Option('--timeout <duration>', 'stop waiting after 30s, 10m or 2h; runs go on').argParser(duration),
    )
    .option('--task-queue <name>', 'task queue of the workers', DEFAULT_TASK_QUEUE)
    .option('--address <host:port>', "Temporal's address, instead of TEMPORAL_ADDRESS or the profile's")
    .option('--namespace <name>', "Temporal's namespace, instead of TEMPORAL_NAMESPACE or the profile's")
    .hook('preAction', () => {
      const { timeout } = program.opts();
      if (timeout) stop.startTimeout(timeout);
    })
    .addHelpText('after', HELP)
    .exitOverride()
    // Errors are reported in one place, with the others.
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: () => undefined,
    })
    .configureHelp({ optionDescription, showGlobalOptions: true });
  const output = () => createOutput(io, program.opts().json, stop);
  const taskQueue = () => program.opts().taskQueue;
  const env = () => {
    const { address, namespace } = program.opts();
    return {
      ...io.env,
      ...(address && { TEMPORAL_ADDRESS: address }),
      ...(namespace && { TEMPORAL_NAMESPACE: namespace }),
    };
  };
  const withClient = async (work: (client: Client) => Promise<void>) => {
    const { withTemporal } = await import('./temporal.js');
    await withTemporal(env(), stop.signal, work);
  };

  const commands = [
    requestCommand('start')
      .description('create a link-token and deliver it to a sink')
      .option('--wait', 'wait until the token is delivered, or its delivery failed', false)
      .option('--again', 'create a token even if an earlier run delivered or left one', false)
      .addOption(
        new Option(
          '--dry-run',
          'start nothing: check the request in a worker, or with --from the runs of each line',
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
      .option('--results <file>', 'with --from: file that gets the outcome of each line, as JSON')
      .on('option:from', function (this: Command) {
        for (const option of this.options) option.mandatory = false;
      })
      .action(async ({ wait, again, dryRun, from, results, ...options }) => {
        if (from !== undefined) {
          const { openRequestsFile } = await import('./requests-file.js');
          const file = await openRequestsFile(from);
          const { startFrom } = await import('./start-from.js');
          return withClient((client) =>
            startFrom(client, file, { wait, dryRun, results, taskQueue: taskQueue() }, output()),
          );
        }
        if (results !== undefined) throw new CommandError('--results needs --from', EXIT_CODES.usage);
        const { requestOf } = await import('./request.js');
        const request = requestOf(options);
        const { start } = await import('./start.js');
        return withClient((client) =>
          start(client, request, { wait, again, dryRun, taskQueue: taskQueue() }, output()),
        );
      }),

    targetCommand('watch')
      .description('follow a run until it ends, or until its delivery failed')
      .action(async (options) => {
        const workflowId = workflowIdOf(options);
        const { watch } = await import('./watch.js');
        await withClient((client) => watch(client, { workflowId }, output()));
      }),

    new Command('list')
      .description('list runs that match every filter, newest first')
      .option('--undelivered', 'open runs whose token no sink has confirmed')
      .option('--sink <name>', 'undelivered runs that wait on this sink')
      .option('--unconfirmed', 'runs after which Atlas may hold tokens that no worker received')
      .addOption(
        new Option(
          '--report',
          'of unconfirmed tokens: each attempt with its time, by organization, to compare in Atlas',
        ).implies({ unconfirmed: true }),
      )
      .addOption(
        new Option('--failure <type>', 'runs that ended with this failure type')
          .choices(FAILURE_TYPES)
          .conflicts(['undelivered', 'sink']),
      )
      .addOption(new Option('--org <id>', 'runs of this Atlas organization').argParser(organizationId))
      .option('--requested-by <text>', 'runs requested by exactly this')
      .option('--change-reference <text>', 'runs of exactly this change or ticket')
      .addOption(
        new Option(
          '--since <time>',
          'runs that are open, or closed after this time; or how long ago, such as 2h',
        ).argParser(pastTime),
      )
      .action(async (options) => {
        const { list } = await import('./list.js');
        await withClient((client) => list(client, { ...options, taskQueue: taskQueue() }, output()));
      }),

    targetCommand('cancel')
      .description('cancel a run; a token that still arrives gets one delivery attempt')
      .action(async (options) => {
        const workflowId = workflowIdOf(options);
        const { cancel } = await import('./cancel.js');
        await withClient((client) => cancel(client, workflowId, output()));
      }),

    targetCommand('redeliver')
      .description('deliver the token of an undelivered run now, or the token that a closed run left')
      .addOption(
        new Option('--sink <name>', "another sink than that of the run's request").argParser(nonEmpty),
      )
      .addOption(new Option('--run-id <id>', 'the closed run whose token is to be delivered').argParser(uuid))
      .addOption(
        new Option('--all', 'every undelivered run of the task queue')
          .default(false)
          .conflicts(['org', 'sourceOrg', 'workflowId', 'runId']),
      )
      .action(async ({ sink, runId, all, ...options }) => {
        if (all) {
          const { redeliverAll } = await import('./redeliver.js');
          return withClient((client) => redeliverAll(client, taskQueue(), sink, output()));
        }
        const workflowId = workflowIdOf(options);
        if (runId) {
          const { recover } = await import('./recover.js');
          return withClient((client) =>
            recover(client, workflowId, { sink, runId, taskQueue: taskQueue() }, output()),
          );
        }
        const { redeliver } = await import('./redeliver.js');
        return withClient((client) => redeliver(client, workflowId, sink, output()));
      }),

    new Command('revoke')
      .description("remove an organization's link and its API key from Atlas, whichever token made it")
      .addOption(
        new Option('--org <id>', 'Atlas organization whose link is removed')
          .argParser(organizationId)
          .makeOptionMandatory(),
      )
      .option('--yes', 'remove it without a confirmation', false)
      .addOption(
        new Option('--requested-by <text>', 'who requested it, kept for the audit trail').argParser(
          shortText,
        ),
      )
      .addOption(
        new Option('--change-reference <text>', 'change or ticket, kept for the audit trail').argParser(
          shortText,
        ),
      )
      .action(async ({ org: orgId, yes, ...audit }) => {
        const { confirmRevocation, revoke } = await import('./revoke.js');
        if (!yes) await confirmRevocation(orgId, io, stop.signal);
        await withClient((client) => revoke(client, { orgId, ...audit }, taskQueue(), output()));
      }),

    new Command('restart')
      .description('start failed runs again once the cause is fixed: one first, then the others')
      .addOption(
        new Option(
          '--since <time>',
          'runs that failed after this time, such as 2026-11-25T09:00:00Z, or 2h for two hours ago',
        )
          .argParser(pastTime)
          .makeOptionMandatory(),
      )
      .addOption(
        new Option('--failure <type>', 'runs that ended with this failure type')
          .choices(FAILURE_TYPES)
          .default('AtlasRequestRejected' as const),
      )
      .option('--dry-run', 'only print what would be done', false)
      .action(async (options) => {
        const { restart } = await import('./restart.js');
        await withClient((client) => restart(client, { ...options, taskQueue: taskQueue() }, output()));
      }),

    new Command('keys')
      .description('create the keys that seal tokens in histories')
      .requiredOption('--file <file>', 'file to write, mode 0600')
      .option('--rotate', 'add a new key that seals tokens; the others in the file still open them', false)
      .action(async (options) => {
        const { makeKeys } = await import('./keys.js');
        await makeKeys(options, output());
      }),

    new Command('doctor')
      .description('check the configuration of a worker, and what it needs: run it where the worker runs')
      .option('--config <file>', 'configuration file of the worker')
      .addOption(
        new Option('--remote', 'check in a worker of the task queue; needs no configuration')
          .default(false)
          .conflicts('config'),
      )
      .option('--strict', 'exit with 1 on warnings, too', false)
      .action(async ({ config, remote, strict }) => {
        const { doctor, doctorRemote } = await import('./doctor.js');
        if (!remote) return doctor(config, { strict }, output(), env());
        return withClient((client) => doctorRemote(client, taskQueue(), { strict }, output()));
      }),

    new Command('schedule')
      .description('create and list schedules that keep links up')
      .addCommand(
        inheriting(
          requestCommand('create')
            .description('create a Temporal Schedule of the workflow prepareOnSchedule')
            .requiredOption('--cron <expression>', 'when, such as "0 6 * * 1"; repeatable', collect)
            .option('--timezone <name>', 'time zone of the cron expressions, such as Europe/Dublin')
            .option('--schedule-id <id>', 'id of the schedule, instead of the workflow id of the pair')
            .addOption(
              new Option('--jitter <duration>', 'delay each time by a random part of this').argParser(
                duration,
              ),
            )
            .addOption(new Option('--until <time>', 'start nothing after this time').argParser(futureTime))
            .option('--note <text>', 'note that Temporal shows with the schedule, until it pauses')
            .option('--always', 'create a token each time, even while the source is linked', false)
            .action(async ({ jitter: jitterMs, ...options }) => {
              const { requestOf } = await import('./request.js');
              const request = requestOf(options);
              const { createSchedule } = await import('./schedule-create.js');
              await withClient((client) =>
                createSchedule(client, request, { ...options, jitterMs, taskQueue: taskQueue() }, output()),
              );
            }),
          'schedule create',
        ),
      )
      .addCommand(
        inheriting(
          new Command('list')
            .description('list the schedules of prepareOnSchedule, with their next time and last outcome')
            .action(async () => {
              const { listSchedules } = await import('./schedule-list.js');
              await withClient((client) => listSchedules(client, taskQueue(), output()));
            }),
          'schedule list',
        ),
      ),
  ];
  for (const command of commands) program.addCommand(inheriting(command));
  return program;

  function inheriting<Inheriting extends CommandUnknownOpts>(
    command: Inheriting,
    name = command.name(),
  ): Inheriting {
    return command.copyInheritedSettings(program).addHelpText('after', examplesOf(name));
  }
}

function errorOf(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  if (error instanceof CommanderError) {
    // `--help` is no error.
    if (error.exitCode === 0) return new CommandError([], EXIT_CODES.done);
    return new CommandError(textOf(error).split('\n'), EXIT_CODES.usage);
  }
  return new CommandError((error as Error).message.split('\n'));
}

function textOf({ code, message }: CommanderError): string {
  return code === 'commander.help' ? 'name a command' : message.replace(/^error: /, '');
}
