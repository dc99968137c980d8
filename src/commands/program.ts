import { Command, CommanderError } from '@commander-js/extra-typings';
import { DEFAULT_TASK_QUEUE } from '../contract/names';
import { raceSignal } from '../http/race-signal';
import { VERSION } from '../version';
import { CommandError, EXIT_CODES, type ExitCode } from './cli/command-error';
import { duration } from './cli/option-parsers';
import * as define from './cli/options';
import { createOutput, type Io } from './cli/output';
import { createStop, type Stop } from './cli/stop';
import type { CommandContext } from './cli/temporal';

/** Follows the options in the help of the program. */
const HELP = `
Commands find Temporal by TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS… or a profile file;
--address and --namespace take precedence.

Exit codes:
  0    done
  1    failed: the message says why
  2    an option is missing, unknown or not valid
  3    Temporal cannot be reached
  4    timed out waiting; the run goes on
  5    undelivered: the token exists, and the run goes on
  6    refused: a token exists, delivered or recoverable, a different request is open, or a redelivery is in progress
  7    cancelled
  130  interrupted; the run goes on`;

/** Creates the command line, for a process or for a test. */
export function createProgram(io: Io) {
  return {
    /** @param args without the names of Node and of the program. */
    async run(args: readonly string[]): Promise<ExitCode> {
      const stop = createStop();
      io.interrupt?.addEventListener('abort', stop.interrupt);
      const program = createCommands(io, stop);
      try {
        await raceSignal(() => program.parseAsync([...args], { from: 'user' }), stop.signal);
        return EXIT_CODES.done;
      } catch (error) {
        // Where commander gave up, it may not have read --json yet.
        const json = program.opts().json || (error instanceof CommanderError && args.includes('--json'));
        const reported = withFollowUp(toCommandError(error), stop.followUp());
        if (reported.lines.length > 0) createOutput(io, json, stop).error(reported);
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
    .option(
      '--timeout <duration>',
      'stop waiting after this long, such as 30s, 10m or 2h; runs go on',
      duration,
    )
    .option(
      '--task-queue <name>',
      'task queue of the workers; commands that name one run ignore it',
      DEFAULT_TASK_QUEUE,
    )
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
    .configureHelp({ showGlobalOptions: true });
  const output = () => createOutput(io, program.opts().json, stop);
  const env = () => {
    const { address, namespace } = program.opts();
    return {
      ...io.env,
      ...(address && { TEMPORAL_ADDRESS: address }),
      ...(namespace && { TEMPORAL_NAMESPACE: namespace }),
    };
  };
  const withTemporal = async (work: (context: CommandContext) => Promise<void>) => {
    const { withClient } = await import('./cli/temporal.js');
    const { taskQueue } = program.opts();
    await withClient(env(), stop.signal, (client) => work({ client, taskQueue, output: output() }));
  };

  const commands = [
    define.startCommand().action(async ({ wait, again, dryRun, from, ...options }) => {
      const { makeRequest, readRequests } = await import('./cli/request.js');
      if (from !== undefined) {
        const requests = await readRequests(from, io.stdin);
        const { startFrom } = await import('./start-from.js');
        return withTemporal((context) => startFrom(context, requests, { wait, dryRun }));
      }
      const request = await makeRequest(options, 'nothing was started', io.stdin);
      const { start } = await import('./start.js');
      return withTemporal((context) => start(context, request, { wait, again, dryRun }));
    }),

    define.watchCommand().action(async (options) => {
      const workflowId = define.resolveWorkflowId(options);
      const { watch } = await import('./watch.js');
      await withTemporal((context) => watch(context, { workflowId }));
    }),

    define.listCommand().action(async (options) => {
      const { list } = await import('./list.js');
      await withTemporal((context) => list(context, options));
    }),

    define.cancelCommand().action(async (options) => {
      const workflowId = define.resolveWorkflowId(options);
      const { cancel } = await import('./cancel.js');
      await withTemporal((context) => cancel(context, workflowId));
    }),

    define.redeliverCommand().action(async ({ sink, all, ...options }) => {
      const workflowId = all ? null : define.resolveWorkflowId(options);
      const { redeliver, redeliverAll } = await import('./redeliver.js');
      await withTemporal((context) =>
        workflowId === null ? redeliverAll(context, sink) : redeliver(context, workflowId, sink),
      );
    }),

    define.recoverCommand().action(async ({ sink, runId, ...options }) => {
      const workflowId = define.resolveWorkflowId(options);
      const { recover } = await import('./recover.js');
      const isQueueGiven = program.getOptionValueSource('taskQueue') === 'cli';
      const to = { sink, taskQueue: isQueueGiven ? program.opts().taskQueue : undefined };
      await withTemporal((context) => recover(context, { workflowId, runId }, to));
    }),

    define.keysCommand().action(async (options) => {
      const { makeKeys } = await import('./keys.js');
      await makeKeys(options, output());
    }),

    define.doctorCommand().action(async ({ config, remote }) => {
      const { doctor, doctorRemote } = await import('./doctor.js');
      if (!remote) return doctor(config, output(), env());
      return withTemporal((context) => doctorRemote(context));
    }),

    new Command('schedule').description('create schedules that renew tokens').addCommand(
      define
        .scheduleCreateCommand()
        .action(async (options) => {
          const { makeRequest } = await import('./cli/request.js');
          const request = await makeRequest(options, 'no schedule was created', io.stdin);
          const { createSchedule } = await import('./schedule-create.js');
          await withTemporal((context) => createSchedule(context, request, options));
        })
        .copyInheritedSettings(program),
    ),
  ];
  for (const command of commands) program.addCommand(command.copyInheritedSettings(program));
  return program;
}

function toCommandError(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  if (error instanceof CommanderError) {
    // `--help` is no error.
    if (error.exitCode === 0) return new CommandError([], EXIT_CODES.done);
    return new CommandError(textOf(error).split('\n'), EXIT_CODES.usage);
  }
  return new CommandError((error as Error).message.split('\n'));
}

/** Adds the follow-up to the error of a command that lost Temporal, as for one that was stopped. */
function withFollowUp(error: CommandError, followUp: readonly string[]): CommandError {
  if (error.exitCode !== EXIT_CODES.unreachable) return error;
  return new CommandError([...error.lines, ...followUp], error.exitCode, error.facts);
}

function textOf({ code, message }: CommanderError): string {
  return code === 'commander.help' ? 'name a command' : message.replace(/^error: /, '');
}
