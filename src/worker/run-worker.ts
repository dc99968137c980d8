import type { Client } from '@temporalio/client';
import type { Logger } from '@temporalio/worker';
import type { Config } from '../config';
import { checkRunList } from '../doctor/temporal-checks';
import { setCurrentVersionCommand } from '../shared/command-line';
import { connectWorker } from '../temporal/connection';
import { VERSION } from '../version';
import { createWorker } from './create-worker';
import { findReadinessProblem, startHealth } from './health';
import { createLogger, logNodeWarnings } from './logger';
import { watchOverdueRuns } from './overdue-runs';
import { installRuntime } from './runtime';
import { drainOnSignals, runUntilDrained } from './shutdown';
import { startRunCounters } from './worker-metrics';

/** Long enough for a start on a node that is starting much else. */
const CONNECT_TIMEOUT_MS = 60_000;

/**
 * @throws Error when the worker cannot start. After a failure of a running worker, the process
 *   ends.
 */
export async function runWorker(config: Config): Promise<void> {
  const { taskQueue, deployment } = config;
  const logger = createLogger(config.log);
  logNodeWarnings(logger);
  for (const warning of config.warnings) logger.warn(warning);
  const meter = installRuntime(logger, config);
  const setWorker = drainOnSignals(logger);

  const { connection, client, namespace, unreachable } = await connectWorker(
    process.env,
    CONNECT_TIMEOUT_MS,
  );
  // Core makes the same call later, and quotes the whole status in its error.
  await connection.workflowService.describeNamespace({ namespace }).catch((error: unknown) => {
    throw unreachable(error);
  });
  const { worker, services } = await createWorker(config, { connection, namespace, meter });
  setWorker(worker);
  await requireList(client, config, logger);
  const health = await startHealth(config.health, () => findReadinessProblem(worker, connection));
  const { url } = health;
  logger.info('worker starts', {
    version: VERSION,
    namespace,
    taskQueue,
    health: url,
    // JSON leaves out a field that is undefined.
    deployment: deployment ?? undefined,
  });
  if (deployment) logger.info(describeActivation(namespace, deployment));
  startRunCounters(meter, { namespace, taskQueue });
  const drained = new AbortController();
  const { signal } = drained;
  if (config.metrics) {
    const { giveUpAfterMs } = config.retries;
    void watchOverdueRuns(client, meter, { giveUpAfterMs, logger, signal }).catch(() => undefined);
  }

  await runUntilDrained(worker, logger);

  drained.abort();
  await Promise.all([services.atlas.close(), health.close()]);
  await connection.close();
  logger.info('worker stopped');
}

/**
 * Requires that Temporal permits the list of runs. If the list only fails, new runs wait for it.
 */
async function requireList(
  client: Client,
  { searchAttributes }: Config,
  logger: Logger,
): Promise<void> {
  const list = await checkRunList(client, searchAttributes);
  if (list.permanent) throw new Error(list.message);
  if (list.state === 'error') logger.warn(list.message);
}

function describeActivation(
  namespace: string,
  { name, buildId }: NonNullable<Config['deployment']>,
): string {
  const command = setCurrentVersionCommand({ namespace, deploymentName: name, buildId });
  return `this worker gets work once its version is current; to make it so: ${command}`;
}
