import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { optionalTsToMs } from '@temporalio/common/lib/time';
import { describeNoCurrentVersion } from '../temporal/current-version';

/** A long poll lasts a minute, so a worker that has not polled for longer is gone. The server lists it for five. */
const POLL_EXPIRES_MS = 70_000;

/** A worker that has just started is listed after its first poll. */
const PATIENCE_MS = 2000;
const LOOK_INTERVAL_MS = 250;

/** {@link describeNoPoller}, for at most two seconds and a half. */
export async function describeStillNoPoller(
  { workflowService, options: { namespace } }: Pick<Client, 'workflowService' | 'options'>,
  taskQueue: string,
): Promise<string | null> {
  const deadlineMs = Date.now() + PATIENCE_MS;
  for (;;) {
    const problem = await describeNoPoller(workflowService, namespace, taskQueue);
    if (problem === null || Date.now() > deadlineMs) return problem;
    await sleep(LOOK_INTERVAL_MS);
  }
}

type Poller = Awaited<ReturnType<Client['workflowService']['describeTaskQueue']>>['pollers'][number];

/** `WORKER_VERSIONING_MODE_VERSIONED` of Temporal's API. */
const VERSIONED = 2;

/** Such a worker gets work only once a version is current. */
function isVersioned({ deploymentOptions }: Poller): boolean {
  return (deploymentOptions?.workerVersioningMode as number | undefined) === VERSIONED;
}

/**
 * Finds out whether a worker polls a task queue and gets work.
 *
 * @returns null when one does, else a line for a person.
 */
export async function describeNoPoller(
  workflowService: Client['workflowService'],
  namespace: string,
  taskQueue: string,
): Promise<string | null> {
  const { pollers, versioningInfo } = await workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
  });
  const lastPollMs = ({ lastAccessTime }: Poller) => optionalTsToMs(lastAccessTime) ?? 0;
  const live = pollers.filter((poller) => Date.now() - lastPollMs(poller) < POLL_EXPIRES_MS);
  if (live.length > 0) {
    if (versioningInfo?.currentDeploymentVersion || !live.every(isVersioned)) return null;
    const { deploymentName, buildId } = live[0]?.deploymentOptions ?? {};
    return describeNoCurrentVersion(namespace, {
      deploymentName: String(deploymentName),
      buildId: String(buildId),
    });
  }
  const lastMs = Math.max(0, ...pollers.map(lastPollMs));
  const last = lastMs > 0 ? ` (the last poll was at ${new Date(lastMs).toISOString()})` : '';
  return `no worker polls task queue ${taskQueue}${last}: start one, or correct --task-queue`;
}
