#!/usr/bin/env node
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger, Worker } from '@temporalio/worker';
import { Command } from 'commander';
import { checkRunList } from './checks/temporal-checks';
import { DEFAULT_CONFIG_FILE, loadConfig } from './config';
import { shellQuote } from './shared/text';
import { connectWorker, createClient } from './temporal/connection';
import { VERSION } from './version';
import { createWorker } from './worker/create-worker';
import { findReadinessProblem, startHealth } from './worker/health';
import { createLogger, logNodeWarnings, runtimeOptions } from './worker/logger';
import { installRuntime, startRunCounters } from './worker/metrics';
import { watchUndelivered } from './worker/metrics-undelivered';

const CONNECT_TIMEOUT_MS = 10_000;
const FAILURE_CHECK_INTERVAL_MS = 1000;
const LAST_LINES_MS = 300;

async function main(): Promise<void> {
  const { config: configFile } = new Command('live-migration-prep-worker')
    .description('Runs the worker that creates link-tokens and delivers them to the configured sinks.')
    .version(VERSION, '--version', 'print the version')
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
  const meter = installRuntime(runtimeOptions(logger, config.log), config.metrics);

  let worker: Worker | null = null;
  drainOnSignals(() => worker, logger);
  const temporal = await connectWorker(process.env, CONNECT_TIMEOUT_MS);
  const { connection, namespace } = temporal;
  // Core makes the same call later, and quotes the whole status in its error.
  await connection.workflowService.describeNamespace({ namespace }).catch((error: unknown) => {
    throw temporal.unreachable(error);
  });
  const created = await createWorker(config, { connection, namespace, meter });
  worker = created.worker;
  const client = createClient(connection, namespace);
  const list = await checkRunList(client);
  if (list.state === 'error' && !list.retryable) throw new Error(list.message);
  if (list.state === 'error') logger.warn(list.message);

  const queue = { namespace, taskQueue: config.taskQueue };
  const health = await startHealth(config.health, () => findReadinessProblem(created.worker, connection));
  const { deployment } = config;
  logger.info('worker starts', {
    version: VERSION,
    ...queue,
    health: health.url,
    ...(deployment && { deployment }),
  });
  if (deployment) {
    const { name, buildId } = deployment;
    logger.info(
      'this worker gets work once its version is current; to make it so: temporal worker deployment' +
        ` set-current-version --namespace ${shellQuote(namespace)} --deployment-name ${shellQuote(name)}` +
        ` --build-id ${shellQuote(buildId)}`,
    );
  }

  startRunCounters(meter, queue);
  const undelivered = config.metrics && watchUndelivered(client, meter, { ...queue, logger });

  let ending: Promise<never> | undefined;
  const endOnce = () => (ending ??= endFailed(logger));
  const watch = setInterval(() => {
    if (created.worker.getState() === 'FAILED') void endOnce();
  }, FAILURE_CHECK_INTERVAL_MS);
  await worker.run().catch(endOnce);
  clearInterval(watch);
  undelivered?.close();
  await Promise.all([created.close(), health.close()]);
  await connection.close();
  logger.info('worker stopped');
}

/** Ends the process after a failure, which the SDK has logged. After one, `worker.run()` may never return. */
async function endFailed(logger: Logger): Promise<never> {
  logger.error('worker failed: the process ends');
  // The log is written asynchronously.
  await sleep(LAST_LINES_MS);
  process.exit(1);
}

/**
 * Drains the worker at the first signal: attempts in progress have time to finish, a POST always enough. The second
 * signal ends the process at once. Without a handler, Linux would ignore the signals for the first process of a
 * container, even while the worker has not started.
 */
function drainOnSignals(workerOf: () => Worker | null, logger: Logger): void {
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    signals += 1;
    if (signals > 1) process.exit(1);
    const worker = workerOf();
    if (!worker || worker.getState() === 'INITIALIZED') process.exit(0);
    // A failed worker ends by itself, and cannot drain.
    if (worker.getState() !== 'RUNNING') return;
    logger.info(`${signal}: draining; a second signal ends at once`);
    worker.shutdown();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

main().catch((error: unknown) => {
  process.stderr.write(`live-migration-prep-worker: ${(error as Error).message}\n`);
  process.exit(1);
});
