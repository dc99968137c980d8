import type { Client } from '@temporalio/client';
import {
  checkRunList,
  failedCheck,
  ok,
  runAll,
  unchecked,
  warning,
  workerChecks,
  type CheckResult,
} from '../checks/worker-checks';
import { loadConfig, type Config } from '../config';
import type { Finding } from '../contract/schemas';
import { createServices } from '../services';
import { formatCount, shellQuote } from '../shared/text';
import { connectClient, createClient } from '../temporal/connection';
import { readRetentionMs } from '../temporal/visibility';
import { CommandError, EXIT_CODES } from './cli/command-error';
import type { Output } from './cli/output';
import type { CommandContext } from './cli/temporal';
import { checkWorker, describeFindings } from './runs/check-worker';
import { lookForWorker } from './runs/missing-worker';

const TEMPORAL_TIMEOUT_MS = 4000;

/** Retention that leaves time to recover a token over a weekend. */
const RECOMMENDED_RETENTION_MS = 72 * 3_600_000;

/**
 * Checks whether a worker with this configuration can do its work: Temporal, credentials, sinks, keys. It changes
 * nothing and creates no link-token.
 *
 * @throws ConfigError; CommandError when a check found an error.
 */
export async function doctor(
  configFile: string | undefined,
  output: Output,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const config = loadConfig(env, configFile);
  const services = await createServices(config);
  try {
    const found = await Promise.all([checkTemporal(env, config), runAll(workerChecks(services, null, true))]);
    const warnings = config.warnings.map((message) => ({ check: 'configuration', ...warning(message) }));
    report([warnings, ...found].flat(), output);
  } finally {
    await services.atlas.close();
  }
}

/**
 * Lets a worker of the task queue make the same checks, by the workflow `checkWorker`. It needs no configuration.
 *
 * @throws CommandError when a check found an error, or no worker responds.
 */
export async function doctorRemote(context: CommandContext): Promise<void> {
  const { report: found } = await checkWorker(context);
  report(found.findings, context.output);
}

function report(found: readonly Finding[], output: Output): void {
  output.say('nothing was changed, and no link-token was created');
  const findings = found.map(({ check, state, message }) => ({ check, state, message }));
  const count = (wanted: Finding['state']) => findings.filter(({ state }) => state === wanted).length;
  const lines = describeFindings(findings);
  if (count('error') === 0) {
    output.print({ findings }, lines);
    return;
  }
  output.say(...lines);
  throw new CommandError(
    `${formatCount(count('error'), 'error')}, ${formatCount(count('warning'), 'warning')}`,
    EXIT_CODES.failed,
    { findings },
  );
}

/** Checks Temporal, the list of runs and the task queue. */
async function checkTemporal(env: NodeJS.ProcessEnv, config: Config): Promise<Finding[]> {
  const findings = (temporal: CheckResult, list: CheckResult, queue: CheckResult) => [
    { check: 'Temporal', ...temporal },
    { check: 'list of runs', ...list },
    { check: `task queue ${config.taskQueue}`, ...queue },
  ];
  try {
    const { connection, address, namespace, unreachable } = await connectClient(env, TEMPORAL_TIMEOUT_MS);
    const client = createClient(connection, namespace);
    return await client
      .withDeadline(Date.now() + TEMPORAL_TIMEOUT_MS, async () =>
        findings(
          await checkNamespace(client, address),
          await checkRunList(client),
          await checkTaskQueue(client, config.taskQueue),
        ),
      )
      .catch((cause: unknown) => {
        throw unreachable(cause);
      })
      .finally(() => connection.close());
  } catch (cause) {
    const notReached = unchecked('Temporal cannot be reached');
    return findings(failedCheck((cause as Error).message), notReached, notReached);
  }
}

async function checkNamespace(client: Client, address: string): Promise<CheckResult> {
  const { namespace } = client.options;
  const { serverVersion } = await client.workflowService.getSystemInfo({});
  const retentionMs = await readRetentionMs(client);
  const server =
    `server ${serverVersion || 'of unknown version'} at ${address}, namespace ${namespace},` +
    ` which retains closed runs for ${formatHours(retentionMs)}`;
  if (isDefective(serverVersion)) {
    return warning(
      `${server}: this release has a security defect in Update-with-Start: upgrade it to 1.30 or later,` +
        ' or to 1.27.4, 1.28.2, 1.29.2 or a later patch of these',
    );
  }
  if (retentionMs >= RECOMMENDED_RETENTION_MS) return ok(server);
  return warning(
    `${server}: set at least ${formatHours(RECOMMENDED_RETENTION_MS)}, so that the token of a cancelled or` +
      ' terminated run can still be recovered:' +
      ` temporal operator namespace update --namespace ${shellQuote(namespace)} --retention 72h`,
  );
}

/** The first patch without the defect, by minor version of server 1. */
const REPAIRED_PATCHES: Readonly<Record<number, number>> = { 27: 4, 28: 2, 29: 2 };
const FIRST_REPAIRED_MINOR = 30;

/** Tells whether README warns of the server's release. A version of another form counts as repaired. */
export function isDefective(serverVersion: string): boolean {
  const [, minor = FIRST_REPAIRED_MINOR, patch = 0] = (/^1\.(\d+)\.(\d+)/.exec(serverVersion) ?? []).map(
    Number,
  );
  return minor < FIRST_REPAIRED_MINOR && patch < (REPAIRED_PATCHES[minor] ?? Infinity);
}

/** A worker starts after its configuration was checked, so an idle queue is worth a warning only. */
async function checkTaskQueue(client: Client, taskQueue: string): Promise<CheckResult> {
  try {
    const problem = await lookForWorker(client, taskQueue);
    return problem === null ? ok('a worker polls it') : warning(problem);
  } catch (cause) {
    return unchecked((cause as Error).message);
  }
}

function formatHours(ms: number): string {
  return `${Math.round(ms / 360_000) / 10} h`;
}
