import { Command, CommanderError, type CommandUnknownOpts } from '@commander-js/extra-typings';
import { DEFAULT_TASK_QUEUE } from '../contract/names';
import { unlessAborted } from '../http/unless-aborted';
import { VERSION } from '../http/version';
import { CommandError, EXIT_CODES, type ExitCode } from './cli/command-error';
import { HELP, examplesOf, optionDescription } from './cli/help';
import { collect, duration } from './cli/option-parsers';
import * as define from './cli/options';
import { createOutput, type Io } from './cli/output';
import { createStop, type Stop } from './cli/stop';
import { suggestedCommands } from './cli/suggested-commands';
import type { CommandContext } from './cli/temporal';

/** The command line, for a process or for a test. */
export function createProgram(io: Io) {
  return {
    /** @param args without the names of Node and of the program. */
    async run(args: readonly string[]): Promise<ExitCode> {
      const stop = createStop();
      io.interrupt?.addEventListener('abort', stop.interrupt);
      const program = createCommands(io, stop);
      try {
        await unlessAborted(() => program.parseAsync([...args], { from: 'user' }), stop.signal);
        return EXIT_CODES.done;
      } catch (error) {
        // Where commander gave up, it may not have read --json yet.
        const json = program.opts().json || (error instanceof CommanderError && args.includes('--json'));
        const reported = withFollowUp(errorOf(error), stop.followUp());
        const complete = suggestedCommands(program.opts());
        if (reported.lines.length > 0) createOutput(io, json, stop, complete).error(reported);
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
      'task queue of the workers; commands about one run need none',
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
    .configureHelp({ optionDescription, showGlobalOptions: true });
  const output = () => createOutput(io, program.opts().json, stop, suggestedCommands(program.opts()));
  const isTaskQueueGiven = () => program.getOptionValueSource('taskQueue') === 'cli';
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
    define.startCommand().action(async ({ wait, again, dryRun, from, results, ...options }) => {
      if (from !== undefined) {
        const { readRequestsFile } = await import('./cli/requests-file.js');
        const file = readRequestsFile(from);
        const { startFrom } = await import('./start-from.js');
        return withTemporal((context) => startFrom(context, file, { wait, dryRun, results }));
      }
      if (results !== undefined) throw new CommandError('--results needs --from', EXIT_CODES.usage);
      const { requestOf } = await import('./cli/request.js');
      const request = requestOf(options, 'nothing was started');
      const { start } = await import('./start.js');
      return withTemporal((context) => start(context, request, { wait, again, dryRun }));
    }),

    define.watchCommand().action(async (options) => {
      const workflowId = define.workflowIdOf(options);
      const { watch } = await import('./watch.js');
      await withTemporal((context) => watch(context, { workflowId }));
    }),

    define.listCommand().action(async (options) => {
      const { list } = await import('./list.js');
      await withTemporal((context) => list(context, options));
    }),

    define.cancelCommand().action(async (options) => {
      const workflowId = define.workflowIdOf(options);
      const { cancel } = await import('./cancel.js');
      await withTemporal((context) => cancel(context, workflowId));
    }),

    define.redeliverCommand().action(async ({ sink, runId, all, ...options }) => {
      if (all) {
        const { redeliverAll } = await import('./redeliver.js');
        return withTemporal((context) => redeliverAll(context, sink));
      }
      const workflowId = define.workflowIdOf(options);
      if (runId) {
        const { redeliverClosed } = await import('./redeliver-closed.js');
        const to = { sink, taskQueue: isTaskQueueGiven() ? program.opts().taskQueue : undefined };
        return withTemporal((context) => redeliverClosed(context, { workflowId, runId }, to));
      }
      const { redeliver } = await import('./redeliver.js');
      return withTemporal((context) => redeliver(context, workflowId, sink));
    }),

    define.restartCommand().action(async (options) => {
      const { restart } = await import('./restart.js');
      await withTemporal((context) => restart(context, options));
    }),

    define.keysCommand().action(async (options) => {
      const { makeKeys } = await import('./keys.js');
      await makeKeys(options, output());
    }),

    define.doctorCommand().action(async ({ config, remote, strict }) => {
      if (!remote && isTaskQueueGiven()) {
        throw new CommandError(
          'doctor checks the task queue that the configuration names: leave out --task-queue, or add --remote',
          EXIT_CODES.usage,
        );
      }
      const { doctor, doctorRemote } = await import('./doctor.js');
      if (!remote) return doctor(config, strict, output(), env());
      return withTemporal((context) => doctorRemote(context, strict));
    }),

    new Command('schedule')
      .description('create and list schedules that keep links up')
      .addCommand(
        define.scheduleCreateCommand().action(async (options) => {
          const { requestOf } = await import('./cli/request.js');
          const request = requestOf(options, 'no schedule was created');
          const { createSchedule } = await import('./schedule-create.js');
          await withTemporal((context) => createSchedule(context, request, options));
        }),
      )
      .addCommand(
        define.scheduleListCommand().action(async () => {
          const { listSchedules } = await import('./schedule-list.js');
          await withTemporal((context) => listSchedules(context));
        }),
      ),
  ];
  const inherit = (command: CommandUnknownOpts, name = command.name()) => {
    refuseRepetition(command.copyInheritedSettings(program).addHelpText('after', examplesOf(name)));
    for (const subcommand of command.commands) inherit(subcommand, `${name} ${subcommand.name()}`);
  };
  for (const command of commands) {
    inherit(command);
    program.addCommand(command);
  }
  return program;
}

/** Commander would take the last of several values without a word. Of global options it may: a shell alias may set them. */
function refuseRepetition(command: CommandUnknownOpts): void {
  for (const option of command.options) {
    if (option.parseArg === collect || !option.required) continue;
    let isGiven = false;
    command.on(`option:${option.name()}`, () => {
      if (isGiven) command.error(`option '${option.flags}' is given twice: give it once`);
      isGiven = true;
    });
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

/** A command that loses Temporal says what goes on without it, as a stopped one does. */
function withFollowUp(error: CommandError, followUp: readonly string[]): CommandError {
  if (error.exitCode !== EXIT_CODES.unreachable) return error;
  return new CommandError([...error.lines, ...followUp], error.exitCode, error.facts);
}

function textOf({ code, message }: CommanderError): string {
  return code === 'commander.help' ? 'name a command' : message.replace(/^error: /, '');
}
