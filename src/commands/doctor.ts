import { Client } from '@temporalio/client';
import {
  failedCheck,
  ok,
  runAll,
  unchecked,
  warning,
  workerChecks,
  type CheckResult,
} from '../activities/worker-checks';
import { createWorkerParts } from '../activities/worker-parts';
import { loadConfig, type Config } from '../config';
import { shellWord } from '../contract/printable';
import type { Finding } from '../contract/schemas';
import { connectClient } from '../temporal/connection';
import { retentionMsOf } from '../temporal/retention';
import { checkWorker, describeFindings } from './runs/check-worker';
import { CommandError, EXIT_CODES } from './cli/command-error';
import type { Output } from './cli/output';
import type { CommandContext } from './cli/temporal';
import { OTHER_QUEUE, whyNoWorker } from './runs/missing-worker';

const TEMPORAL_TIMEOUT_MS = 4000;

/** To recover a token from a closed run. */
const RECOMMENDED_RETENTION_MS = 72 * 3_600_000;

/**
 * Checks whether a worker with this configuration can do its work: Temporal, credentials, sinks, keys. It changes
 * nothing and creates no link-token.
 *
 * @throws ConfigError; CommandError when a check found an error.
 */
export async function doctor(
  configFile: string | undefined,
  strict: boolean,
  output: Output,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const config = loadConfig(env, configFile);
  const parts = await createWorkerParts(config);
  try {
    const found = await Promise.all([checkTemporal(env, config), runAll(workerChecks(parts, null, true))]);
    const warnings = config.warnings.map((message) => ({ check: 'configuration', ...warning(message) }));
    report([warnings, ...found].flat(), strict, output);
  } finally {
    await parts.atlas.close();
  }
}

/**
 * The same checks inside a worker of the task queue, by the workflow `checkWorker`. It needs no configuration.
 *
 * @throws CommandError when a check found an error, or no worker responds.
 */
export async function doctorRemote(context: CommandContext, strict: boolean): Promise<void> {
  const { report: found } = await checkWorker(context.client, context.taskQueue);
  report(found.findings, strict, context.output);
}

function report(found: readonly Finding[], strict: boolean, output: Output): void {
  output.say('nothing was changed, and no link-token was created');
  const findings = found.map(({ check, state, message }) => ({ check, state, message }));
  const count = (wanted: Finding['state']) => findings.filter(({ state }) => state === wanted).length;
  const lines = describeFindings(findings);
  if (count('error') === 0 && !(strict && count('warning') > 0)) {
    output.print({ findings }, lines);
    return;
  }
  output.say(...lines);
  throw new CommandError(
    `${plural(count('error'), 'error')}, ${plural(count('warning'), 'warning')}`,
    EXIT_CODES.failed,
    { findings },
  );
}

/** Temporal and the task queue. */
async function checkTemporal(env: NodeJS.ProcessEnv, config: Config): Promise<Finding[]> {
  const findings = (temporal: CheckResult, queue: CheckResult) => [
    { check: 'Temporal', ...temporal },
    { check: `task queue ${config.taskQueue}`, ...queue },
  ];
  try {
    const { connection, address, namespace, unreachable } = await connectClient(env, TEMPORAL_TIMEOUT_MS);
    const client = new Client({ connection, namespace });
    return await client
      .withDeadline(Date.now() + TEMPORAL_TIMEOUT_MS, async () =>
        findings(await checkNamespace(client, address), await checkTaskQueue(client, config)),
      )
      .catch((cause: unknown) => {
        throw unreachable(cause);
      })
      .finally(() => connection.close());
  } catch (cause) {
    return findings(failedCheck((cause as Error).message), unchecked('Temporal cannot be reached'));
  }
}

async function checkNamespace(client: Client, address: string): Promise<CheckResult> {
  const { namespace } = client.options;
  const retentionMs = await retentionMsOf(client);
  const retention = `namespace ${namespace} at ${address} retains closed runs for ${hours(retentionMs)}`;
  if (retentionMs >= RECOMMENDED_RETENTION_MS) return ok(retention);
  return warning(
    `${retention}: set at least ${hours(RECOMMENDED_RETENTION_MS)}, so that a token left by a cancelled or terminated run can still be recovered: temporal operator namespace update --namespace ${shellWord(namespace)} --retention 72h`,
  );
}

/** A worker starts after its configuration was checked, so an idle queue is worth a warning only. */
async function checkTaskQueue(client: Client, { taskQueue }: Config): Promise<CheckResult> {
  try {
    const problem = await whyNoWorker(client, taskQueue, 0, OTHER_QUEUE);
    return problem === null ? ok('a worker polls it') : warning(problem);
  } catch (cause) {
    return unchecked((cause as Error).message);
  }
}

function hours(ms: number): string {
  return `${Math.round(ms / 360_000) / 10} h`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
