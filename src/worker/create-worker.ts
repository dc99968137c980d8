import path from 'node:path';
import type { MetricMeter } from '@temporalio/common';
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from '../activities';
import { HEARTBEAT_INTERVAL_MS } from '../activities/heartbeat';
import type { Config } from '../config';
import { addAttemptTimeouts } from '../config/attempt-timeouts';
import { createServices } from '../config/services';
import { WORKER_IDENTITY } from '../version';
import { drainTimeMs } from './shutdown';
import { timeAtlasRequests } from './worker-metrics';

interface WorkerContext {
  connection: NativeConnection;
  namespace: string;
  meter: MetricMeter;
}

/**
 * Creates a worker, which takes no work before `worker.run()`. Close `services.atlas` after that
 * has returned.
 */
export async function createWorker(
  config: Config,
  { connection, namespace, meter }: WorkerContext,
) {
  const services = await createServices(config, timeAtlasRequests(meter));
  const retries = addAttemptTimeouts(config);
  const worker = await Worker.create({
    connection,
    namespace,
    identity: WORKER_IDENTITY,
    taskQueue: config.taskQueue,
    workflowBundle: { codePath: path.join(__dirname, '../workflow-bundle.js') },
    // The workflow bundle has its own copy.
    dataConverter: { payloadConverterPath: path.join(__dirname, '../shared/payload-converter.js') },
    activities: createActivities(services, retries, config.schedules.minimumTokenAgeMs, {
      searchAttributes: config.searchAttributes,
      revocation: config.atlas.revocation,
    }),
    ...versioning(config),
    maxConcurrentActivityTaskExecutions: config.worker.maxConcurrentActivities,
    // A cancellation reaches an attempt with the response to a heartbeat: do not hold heartbeats
    // back.
    maxHeartbeatThrottleInterval: HEARTBEAT_INTERVAL_MS,
    shutdownGraceTime: drainTimeMs(retries),
  });
  return { worker, services };
}

/** Uses AUTO_UPGRADE, so that an undelivered run goes on in the version that is current then. */
function versioning({ deployment }: Config): Pick<WorkerOptions, 'workerDeploymentOptions'> {
  if (!deployment) return {};
  const { name: deploymentName, buildId } = deployment;
  return {
    workerDeploymentOptions: {
      version: { deploymentName, buildId },
      useWorkerVersioning: true,
      defaultVersioningBehavior: 'AUTO_UPGRADE',
    },
  };
}
