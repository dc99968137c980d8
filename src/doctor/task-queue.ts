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

type TaskQueue = Awaited<ReturnType<Client['workflowService']['describeTaskQueue']>>;
type Poller = TaskQueue['pollers'][number];
type Version = NonNullable<NonNullable<TaskQueue['versioningInfo']>['currentDeploymentVersion']>;

/**
 * Checks whether a worker polls a task queue and gets work from it: a versioned worker gets none
 * before its version is current. Without one the result is a warning, since a worker may start
 * later; without the permission to describe task queues, which a start of runs does not need, it is
 * `unchecked`.
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
  // The newest poll first.
  const pollers = queue.pollers.toSorted((a, b) => toMs(b.lastAccessTime) - toMs(a.lastAccessTime));
  const expiredMs = Math.max(0, Date.now() - expiresMs);
  const activePollers = pollers.filter(({ lastAccessTime }) => toMs(lastAccessTime) > expiredMs);
  const [newestPoller] = activePollers;
  if (!newestPoller) return warning(describeNoPoller(taskQueue, toMs(pollers[0]?.lastAccessTime)));
  const { versioningInfo } = queue;
  const isServed = activePollers.some((poller) => getsWork(poller, versioningInfo));
  if (isServed) return ok('a worker polls it');
  return warning(
    describeIdleWorkers(
      namespace,
      taskQueue,
      newestPoller,
      versioningInfo?.currentDeploymentVersion,
    ),
  );
}

/** WORKER_VERSIONING_MODE_VERSIONED in Temporal's API. */
const VERSIONED = 2;

function findVersion({ deploymentOptions }: Poller): Version | null {
  return deploymentOptions && Number(deploymentOptions.workerVersioningMode) === VERSIONED
    ? deploymentOptions
    : null;
}

/** Value of `currentVersion` while no version is current. */
const NO_VERSION = '__unversioned__';

/**
 * Tells whether the server gives new tasks to a poller. Tasks go to the current version of the task
 * queue and, for a part of them, to the ramping one; a version that is absent stands for all
 * workers without one.
 *
 * @see https://github.com/temporalio/api/blob/master/temporal/api/taskqueue/v1/message.proto
 *   (TaskQueueVersioningInfo)
 */
function getsWork(poller: Poller, queue: TaskQueue['versioningInfo']): boolean {
  const {
    currentDeploymentVersion: current,
    currentVersion,
    rampingDeploymentVersion: ramping,
  } = queue ?? {};
  const areVersionsKnown = current || currentVersion === NO_VERSION;
  if (!areVersionsKnown) return true;
  const version = findVersion(poller);
  if (isSame(version, current)) return true;
  const isRamping = (queue?.rampingVersionPercentage ?? 0) > 0;
  return isRamping && isSame(version, ramping);
}

function isSame(a: Version | null | undefined, b: Version | null | undefined): boolean {
  return a?.deploymentName === b?.deploymentName && a?.buildId === b?.buildId;
}

function describeNoPoller(taskQueue: string, lastMs: number): string {
  const lastPoll = lastMs > 0 ? ` (the last poll was at ${new Date(lastMs).toISOString()})` : '';
  return (
    `no worker polls task queue ${taskQueue}${lastPoll}: start one, or correct the name;` +
    ' a run stays on the task queue on which it was started'
  );
}

function describeIdleWorkers(
  namespace: string,
  taskQueue: string,
  poller: Poller,
  current?: Version | null,
): string {
  const version = findVersion(poller);
  if (version) {
    const deploymentName = version.deploymentName ?? '';
    const buildId = version.buildId ?? '';
    const command = setCurrentVersionCommand(namespace, deploymentName, buildId);
    return (
      `the workers that poll task queue ${taskQueue} get no work,` +
      ` since version ${buildId} of ${deploymentName}` +
      ` is not current; to make it so: ${command}`
    );
  }
  const deploymentName = current?.deploymentName ?? '';
  const buildId = current?.buildId ?? '';
  const command = setCurrentVersionCommand(namespace, deploymentName, null);
  return (
    `the workers that poll task queue ${taskQueue} have no version and get no work,` +
    ` since version ${buildId} of ${deploymentName} is current:` +
    ` start workers of that version,` +
    ` or give the work to those without one: ${command}`
  );
}
