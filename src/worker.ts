#!/usr/bin/env node
import path from 'node:path';
import { Runtime, Worker, type Logger } from '@temporalio/worker';
import { Command } from 'commander';
import { createActivities } from './activities';
import { createAdminApi } from './atlas/admin-api';
import { ConfigError, DEFAULT_CONFIG_FILE, loadConfig, type Config } from './config';
import { createOrganizations } from './config/organizations';
import type { Sink } from './sinks/sink';
import { connectWorker } from './temporal-connection';
import { activityLimits } from './worker/activity-limits';
import { activityTimeouts } from './worker/activity-timeouts';
import { startHealth } from './worker/health';
import { createLogger, logNodeWarnings, runtimeOptions } from './worker/logger';

const CONNECT_TIMEOUT_MS = 10_000;
const READINESS_TIMEOUT_MS = 1000;

async function main(): Promise<void> {
  const { config: configFile } = new Command('live-migration-prep-worker')
    .description('Runs the worker that creates link-tokens and hands them to the configured sinks.')
    .option(
      '--config <file>',
      `configuration file (else LIVE_MIGRATION_PREP_CONFIG, else ${DEFAULT_CONFIG_FILE})`,
    )
    .parse()
    .opts<{ config?: string }>();
  const config = loadConfig(process.env, configFile);
  const logger = createLogger(config.log);
  logNodeWarnings(logger);
  for (const warning of config.warnings) logger.warn(warning);
  Runtime.install(runtimeOptions(logger, config.log));

  const atlas = createAdminApi(config.atlas);
  const { connection, namespace } = await connectWorker(process.env, CONNECT_TIMEOUT_MS);
  const plans = activityTimeouts({ ...config, ...config.atlas, ...config.worker });
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue: config.taskQueue,
    workflowBundle: { codePath: path.join(__dirname, 'workflow-bundle.js') },
    activities: createActivities({
      atlas,
      sealer: config.sealing,
      sinks: await createSinks(config),
      organizations: createOrganizations({ ...config.atlas, sinks: config.sinks }),
      plans,
    }),
    ...activityLimits(config.worker),
    // A cancellation reaches an attempt with the response to a heartbeat, so heartbeats must not be held back.
    maxHeartbeatThrottleInterval: '3s',
    // How long a draining worker lets attempts finish before it cancels them: no POST under way is cut off.
    shutdownGraceTime: plans.create.attemptTimeoutMs,
  });

  const health = await startHealth(config.health, async () => {
    if (worker.getState() !== 'RUNNING') return `the worker is ${worker.getState()}`;
    return connection
      .withDeadline(Date.now() + READINESS_TIMEOUT_MS, () => connection.workflowService.getSystemInfo({}))
      .then(
        () => null,
        () => 'Temporal does not answer',
      );
  });
  logger.info('worker starts', { taskQueue: config.taskQueue, namespace, health: health.url });

  drainOnSignals(worker, logger);
  await worker.run();
  await Promise.all([atlas.close(), health.close()]);
  await connection.close();
  logger.info('worker stopped');
}

async function createSinks(config: Config): Promise<Map<string, Sink>> {
  const made = [...config.sinks].map(async ([name, create]) => [name, await create()] as const);
  return new Map(await Promise.all(made));
}

/** The first signal drains: what runs is finished, a POST in flight is waited for. The second ends at once. */
function drainOnSignals(worker: Worker, logger: Logger): void {
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    signals += 1;
    if (signals > 1) process.exit(1);
    logger.info(`${signal}: draining; a second signal ends at once`);
    worker.shutdown();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

main().catch((error: unknown) => {
  const message = error instanceof ConfigError ? error.message : (error as Error).message;
  process.stderr.write(`live-migration-prep-worker: ${message}\n`);
  process.exit(1);
});
