#!/usr/bin/env node
import { WorkflowNotFoundError, isGrpcServiceError } from '@temporalio/client';
import { Command, CommanderError } from 'commander';
import { cancel } from './commands/cancel';
import { CommandError, EXIT_CODES } from './commands/command-error';
import { makeKeys, type KeysOptions } from './commands/keys';
import { createOutput } from './commands/output';
import { redeliver, type RedeliverOptions } from './commands/redeliver';
import { addRequestOptions, requestOf, type RequestOptions } from './commands/request-options';
import { restart, type RestartOptions } from './commands/restart';
import { createSchedule, type ScheduleOptions } from './commands/schedule-create';
import { start, type StartOptions } from './commands/start';
import { addTargetOptions, workflowIdOf, type TargetOptions } from './commands/target';
import { withTemporal } from './commands/temporal';
import { watch } from './commands/watch';
import { DEFAULT_TASK_QUEUE } from './contract/names';

const program = new Command('live-migration-prep')
  .description('Starts and follows the durable job that creates an Atlas link-token and hands it to a sink.')
  .option('--json', 'print one JSON object, for machines', false)
  .option('--task-queue <name>', 'task queue of the workers', DEFAULT_TASK_QUEUE)
  .addHelpText(
    'after',
    `
Temporal is found by TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS… or a profile file.
Exit codes: 0 done, 1 failed, 2 usage, 3 cannot reach Temporal.`,
  )
  .exitOverride();

const json = () => program.opts<{ json: boolean }>().json;
const output = () => createOutput(json());
const taskQueue = () => program.opts<{ taskQueue: string }>().taskQueue;

addRequestOptions(program.command('start').description('create a link-token and hand it to a sink'))
  .option('--wait', 'wait for the receipt', false)
  .option('--again', 'create another token although one exists', false)
  .action(async (options: RequestOptions & Omit<StartOptions, 'taskQueue'>) => {
    const request = requestOf(options);
    await withTemporal((client) => start(client, request, { ...options, taskQueue: taskQueue() }, output()));
  });

addTargetOptions(program.command('watch').description('follow a run: step, attempt, last failure')).action(
  async (options: TargetOptions) => {
    const workflowId = workflowIdOf(options);
    await withTemporal((client) => watch(client, workflowId, output()));
  },
);

addTargetOptions(program.command('cancel').description('stop a run; a token that comes is kept')).action(
  async (options: TargetOptions) => {
    const workflowId = workflowIdOf(options);
    await withTemporal((client) => cancel(client, workflowId, output()));
  },
);

addTargetOptions(program.command('redeliver').description('hand over a token that a run kept'))
  .option('--sink <name>', 'another sink than the one it was meant for')
  .action(async (options: TargetOptions & Omit<RedeliverOptions, 'taskQueue'>) => {
    const workflowId = workflowIdOf(options);
    await withTemporal((client) =>
      redeliver(client, workflowId, { ...options, taskQueue: taskQueue() }, output()),
    );
  });

program
  .command('restart')
  .description('start runs again that failed, once the cause is mended; see docs/runbook.md')
  .requiredOption('--since <time>', 'runs that failed after this time, such as 2026-11-25T09:00:00Z')
  .option('--failure <type>', 'runs that ended with this failure type', 'AtlasRequestRejected')
  .option('--dry-run', 'only say what would be done', false)
  .action(async (options: Omit<RestartOptions, 'taskQueue'>) => {
    await withTemporal((client) => restart(client, { ...options, taskQueue: taskQueue() }, output()));
  });

program
  .command('keys')
  .description('make the keys that seal tokens')
  .requiredOption('--file <file>', 'file to write, mode 0600')
  .option('--rotate', 'put a new key before those the file has', false)
  .action((options: KeysOptions) => makeKeys(options, output()));

program
  .command('doctor')
  .description("check, where the worker's configuration is, that it can do its work; changes nothing")
  .option('--config <file>', 'configuration file of the worker')
  .action(async ({ config }: { config?: string }) => {
    // Loaded here, since no other command needs the configuration and what it brings.
    const { doctor } = await import('./commands/doctor.js');
    await doctor(config, output());
  });

addRequestOptions(
  program
    .command('schedule')
    .description('run it on a schedule')
    .command('create')
    .description('create a Temporal Schedule of this job'),
)
  .option('--cron <expression...>', 'when, such as "0 6 * * 1"')
  .option('--timezone <name>', 'time zone of the cron expressions, such as Europe/Dublin')
  .option('--schedule-id <id>', 'id of the schedule (else the workflow id)')
  .action(async (options: RequestOptions & Omit<ScheduleOptions, 'taskQueue'>) => {
    const request = requestOf(options);
    await withTemporal((client) =>
      createSchedule(client, request, { ...options, taskQueue: taskQueue() }, output()),
    );
  });

program.parseAsync().catch((error: unknown) => {
  process.exitCode = exitCodeOf(error);
});

/** Tells the error, and says which exit code it is. */
function exitCodeOf(error: unknown): number {
  // commander has told it, and `--help` is no error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage;
  const { message, facts, exitCode } = commandErrorOf(error);
  if (json()) process.stdout.write(`${JSON.stringify({ error: message, ...facts })}\n`);
  process.stderr.write(`live-migration-prep: ${message}\n`);
  return exitCode;
}

function commandErrorOf(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  if (error instanceof WorkflowNotFoundError) {
    return new CommandError(
      `Temporal knows no run ${error.workflowId}: it never ran here, or is past the namespace's retention`,
    );
  }
  const { message, cause } = error as Error;
  return new CommandError(isGrpcServiceError(cause) ? `${message}: ${cause.details}` : message);
}
