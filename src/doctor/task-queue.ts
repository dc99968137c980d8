import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { setCurrentVersionCommand } from '../shared/command-line';
import { toMs } from '../temporal/grpc';
import { ok, unchecked, warning, type CheckResult } from './check-result';

/**
 * A long poll lasts a minute, so a worker whose last poll is older is gone. The server lists it for
 * five minutes.
 */
const POLL_EXPIRES_MS = 70_000;
const LOOK_INTERVAL_MS = 250;

/**
 * Time for the first poll of a worker that has just started: the server lists a worker only after
 * it.
 */
export const FIRST_POLL_MS = 2000;

/**
 * Checks whether a worker polls a task queue and gets tasks from it. Without one the result is a
 * warning, since a worker may start later; without the permission to describe task queues, which a
 * start of runs does not need, it is `unchecked`.
 *
 * @param options `patienceMs` is the time to wait for a worker; `expiresMs` is the maximum age of
 *   its last poll, by this machine's clock.
 */
export async function checkTaskQueue(
  client: Client,
  taskQueue: string,
  { patienceMs = 0, expiresMs = POLL_EXPIRES_MS }: { patienceMs?: number; expiresMs?: number } = {},
): Promise<CheckResult> {
  const deadlineMs = Date.now() + patienceMs;
  for (;;) {
    const result = await checkPollers(client, taskQueue, expiresMs).catch((error: unknown) =>
      unchecked((error as Error).message),
    );
    if (result.state !== 'warning' || Date.now() >= deadlineMs) return result;
    await sleep(LOOK_INTERVAL_MS);
  }
}

type TaskQueue = Awaited<ReturnType<Client['workflowService']['describeTaskQueue']>>;
type Version = NonNullable<NonNullable<TaskQueue['versioningInfo']>['currentDeploymentVersion']>;

async function checkPollers(
  client: Client,
  taskQueue: string,
  expiresMs: number,
): Promise<CheckResult> {
  const { namespace } = client.options;
  const queue = await client.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
  });
  const expiredAtMs = Math.max(0, Date.now() - expiresMs);
  const active = queue.pollers.filter(({ lastAccessTime }) => toMs(lastAccessTime) > expiredAtMs);
  if (active.length === 0) return warning(describeNoPoller(taskQueue, queue.pollers));
  const versions = active.map(findVersion);
  const receiver = findReceiver(queue);
  if (versions.some((version) => isSame(version, receiver))) return ok('a worker polls it');
  const polling = versions.find((version) => version !== null) ?? null;
  const deploymentName = (polling ?? receiver)?.deploymentName ?? '';
  const command = setCurrentVersionCommand({
    namespace,
    deploymentName,
    buildId: polling?.buildId,
  });
  return warning(
    `the tasks of task queue ${taskQueue} go to ${describeWorkers(receiver)}, and none polls it;` +
      ` to give them to ${describeWorkers(polling)}, which poll it: ${command}`,
  );
}

/** WORKER_VERSIONING_MODE_VERSIONED in Temporal's API. */
const VERSIONED = 2;

/** @returns null for an unversioned worker. */
function findVersion({ deploymentOptions }: TaskQueue['pollers'][number]): Version | null {
  const mode = Number(deploymentOptions?.workerVersioningMode);
  return mode === VERSIONED ? (deploymentOptions ?? null) : null;
}

/**
 * Returns the version whose workers get the tasks of a task queue: the current one, or one that
 * ramps with 100 percent; null for the unversioned workers. A version that ramps with less gets a
 * part of the tasks, and the current version still needs a worker.
 *
 * @see https://github.com/temporalio/api/blob/master/temporal/api/taskqueue/v1/message.proto
 *   (TaskQueueVersioningInfo)
 */
function findReceiver({ versioningInfo }: TaskQueue): Version | null {
  const { currentDeploymentVersion, rampingDeploymentVersion } = versioningInfo ?? {};
  const isRamped = versioningInfo?.rampingVersionPercentage === 100;
  return (isRamped ? rampingDeploymentVersion : currentDeploymentVersion) ?? null;
}

function isSame(a: Version | null, b: Version | null): boolean {
  return a?.deploymentName === b?.deploymentName && a?.buildId === b?.buildId;
}

function describeWorkers(version: Version | null): string {
  if (!version) return 'unversioned workers';
  return `workers of version ${version.buildId} of ${version.deploymentName}`;
}

function describeNoPoller(taskQueue: string, expired: TaskQueue['pollers']): string {
  // 0 without a poller.
  const lastMs = Math.max(0, ...expired.map(({ lastAccessTime }) => toMs(lastAccessTime)));
  const lastPoll = lastMs > 0 ? ` (the last poll was at ${new Date(lastMs).toISOString()})` : '';
  return (
    `no worker polls task queue ${taskQueue}${lastPoll}: start one, or correct the name;` +
    ' a run stays on the task queue on which it was started'
  );
}
