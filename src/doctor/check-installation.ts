import { loadConfig, type Config } from '../config';
import { createServices } from '../config/services';
import type { Finding } from '../contract/schemas';
import { connectClient } from '../temporal/connection';
import { failedCheck, unchecked, warning, type CheckResult } from './check-result';
import { runAll } from './run-all';
import { checkTaskQueue } from './task-queue';
import { checkNamespace, checkRunList } from './temporal-checks';
import { wholeWorker, workerChecks } from './worker-checks';

const TEMPORAL_TIMEOUT_MS = 4000;

/**
 * Changes nothing and creates no link-token.
 *
 * @throws ConfigError
 */
export async function checkInstallation(
  env: NodeJS.ProcessEnv,
  configFile?: string,
): Promise<Finding[]> {
  const config = loadConfig(env, configFile);
  const services = await createServices(config);
  try {
    const [temporal, worker] = await Promise.all([
      checkTemporal(env, config),
      runAll(workerChecks(services, wholeWorker(services), { onHost: true })),
    ]);
    const warnings = config.warnings.map((message) => ({
      check: 'configuration',
      ...warning(message),
    }));
    return [...warnings, ...temporal, ...worker];
  } finally {
    await services.atlas.close();
  }
}

async function checkTemporal(env: NodeJS.ProcessEnv, config: Config): Promise<Finding[]> {
  const checks = ['Temporal', 'list of runs', `task queue ${config.taskQueue}`];
  const results = await connectAndCheck(env, config).catch((error: unknown) => [
    failedCheck((error as Error).message),
  ]);
  return checks.map((check, index) => ({
    check,
    ...(results[index] ?? unchecked('the check of Temporal failed')),
  }));
}

/** @throws Error when Temporal's settings are wrong or it cannot be reached. */
async function connectAndCheck(
  env: NodeJS.ProcessEnv,
  { taskQueue, searchAttributes }: Config,
): Promise<CheckResult[]> {
  const { connection, client, address, unreachable } = await connectClient(
    env,
    TEMPORAL_TIMEOUT_MS,
  );
  try {
    return await client.withDeadline(Date.now() + TEMPORAL_TIMEOUT_MS, async () => [
      await checkNamespace(client, address),
      await checkRunList(client, searchAttributes),
      await checkTaskQueue(client, taskQueue),
    ]);
  } catch (error) {
    throw unreachable(error);
  } finally {
    await connection.close();
  }
}
