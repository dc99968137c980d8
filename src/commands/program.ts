import { Command, CommanderError, Help } from '@commander-js/extra-typings';
import { raceSignal } from '../abort';
import { DEFAULT_TASK_QUEUE } from '../contract/workflows';
import { VERSION } from '../version';
import { apiKeysCommand } from './api-keys';
import { cancelCommand } from './cancel';
import { CommandError, EXIT_CODES, type ExitCode, usageError } from './cli/command-error';
import type { ProgramContext } from './cli/context';
import { PROGRAM_HELP } from './cli/help';
import { parseDuration, parseNonEmpty } from './cli/option-parsers';
import { createOutput, type Io } from './cli/output';
import { createStop, type Stop } from './cli/stop';
import { doctorCommand } from './doctor';
import { listCommand } from './list';
import { redeliverCommand } from './redeliver';
import { revokeCommand } from './revoke';
import { scheduleCommand } from './schedule';
import { sealingKeysCommand } from './sealing-keys';
import { startCommand } from './start';
import { watchCommand } from './watch';

/**
 * The commands in the order of `--help`. Each loads what it needs when it runs, so help needs no
 * Temporal client.
 */
const COMMANDS = [
  startCommand,
  watchCommand,
  listCommand,
  cancelCommand,
  redeliverCommand,
  revokeCommand,
  apiKeysCommand,
  sealingKeysCommand,
  doctorCommand,
  scheduleCommand,
];

/** Global options that do nothing for a command, by its last word: its help leaves them out. */
const UNUSED: Partial<Record<string, string[]>> = {
  watch: ['--task-queue'],
  cancel: ['--task-queue'],
  'api-keys': ['--task-queue'],
  'sealing-keys': ['--task-queue', '--address', '--namespace'],
  pause: ['--task-queue'],
  unpause: ['--task-queue'],
};
const allGlobalOptions = Object.assign(new Help(), { showGlobalOptions: true });

/** @param args without the names of Node and of the program. */
export async function runProgram(io: Io, args: readonly string[]): Promise<ExitCode> {
  const stop = createStop();
  io.interrupt?.addEventListener('abort', stop.interrupt);
  const program = createProgram(io, stop);
  try {
    await raceSignal(() => program.parseAsync([...args], { from: 'user' }), stop.signal);
    return EXIT_CODES.done;
  } catch (error) {
    // `--help` is not an error.
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT_CODES.done;
    // Where commander gave up, it may not have read --json yet.
    const json =
      program.opts().json || (error instanceof CommanderError && args.includes('--json'));
    const commandError = toCommandError(error, stop.followUp());
    createOutput(io, json, stop).error(commandError);
    return commandError.exitCode;
  }
}

function createProgram(io: Io, stop: Stop) {
  const program = new Command('live-migration-prep')
    .description(
      'Creates MongoDB Atlas link-tokens and delivers them to sinks,' +
        ' with durable Temporal workflows.',
    )
    .version(VERSION, '-V, --version', 'print the version')
    .option('--json', 'print JSON, one object per line')
    .option('--timeout <duration>', 'maximum wait, such as 10m or 2h; runs go on', parseDuration)
    .option('--task-queue <name>', 'task queue', DEFAULT_TASK_QUEUE)
    .option(
      '--address <host:port>',
      "Temporal's address, instead of TEMPORAL_ADDRESS",
      parseNonEmpty,
    )
    .option(
      '--namespace <name>',
      "Temporal's namespace, instead of TEMPORAL_NAMESPACE",
      parseNonEmpty,
    )
    .hook('preAction', () => {
      const { timeout } = program.opts();
      if (timeout) stop.startTimeout(timeout);
    })
    .addHelpText('after', PROGRAM_HELP)
    .exitOverride()
    // Errors are reported in one place, with the others.
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: () => undefined,
    })
    .configureHelp({
      showGlobalOptions: true,
      visibleGlobalOptions(command) {
        const unused = UNUSED[command.name()] ?? [];
        return allGlobalOptions
          .visibleGlobalOptions(command)
          .filter(({ long }) => !unused.includes(long ?? ''));
      },
    });

  const context: ProgramContext = {
    stdin: io.stdin,
    output: () => createOutput(io, program.opts().json ?? false, stop),
    async env() {
      const { overrideTemporalSettings } = await import('../temporal/connection-settings.js');
      return overrideTemporalSettings(io.env, program.opts());
    },
    async withTemporal(work) {
      const { withClient } = await import('./runs/with-client.js');
      const { taskQueue } = program.opts();
      const isTaskQueueGiven = program.getOptionValueSource('taskQueue') === 'cli';
      const common = { taskQueue, isTaskQueueGiven, output: context.output() };
      await withClient(await context.env(), io.connectTimeoutMs, stop.signal, (client) =>
        work({ client, ...common }),
      );
    },
  };

  for (const create of COMMANDS) {
    const command = create(context);
    for (const part of [command, ...command.commands]) part.copyInheritedSettings(program);
    program.addCommand(command);
  }
  return program;
}

/** @param followUp is added to an error with exit code 3, as it is after a stop. */
function toCommandError(error: unknown, followUp: readonly string[]): CommandError {
  if (error instanceof CommandError) {
    const { lines, exitCode, facts } = error;
    return exitCode === EXIT_CODES.unreachable
      ? new CommandError([...lines, ...followUp], exitCode, facts)
      : error;
  }
  const { message } = error as Error;
  if (!(error instanceof CommanderError)) return new CommandError(message.split('\n'));
  if (error.code === 'commander.help') {
    return usageError('name a command: add --help to list them');
  }
  return usageError(message.replace(/^error: /, '').split('\n'));
}
