import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { WorkerDeploymentVersion } from '@temporalio/common';
import { optionalTsToMs } from '@temporalio/common/lib/time';
import { describeCurrentWithoutWorker, describeNoCurrentVersion } from '../../temporal/current-version';
import type { Output } from '../cli/output';

/** A long poll lasts a minute, so a worker that has not polled for longer is gone. The server lists it for five. */
const POLL_EXPIRES_MS = 70_000;

/** Before anything is started. A run that exists stays on its task queue. */
export const OTHER_QUEUE = 'start one, or name another task queue';
const SAME_QUEUE = 'start one; what was started there stays on it';

const PATIENCE_MS = 2000;
const LOOK_INTERVAL_MS = 250;

/**
 * Asks {@link whyNoWorker} for about two seconds, since a worker is listed only after its first poll.
 *
 * @returns null, too, where Temporal does not say: who may start runs need not be allowed to describe task queues.
 */
export async function whyStillNoWorker(
  client: Client,
  taskQueue: string,
  clockAheadMs?: number,
  remedy?: string,
): Promise<string | null> {
  const deadlineMs = Date.now() + PATIENCE_MS;
  for (;;) {
    const problem = await whyNoWorker(client, taskQueue, clockAheadMs, remedy).catch(() => null);
    if (problem === null || Date.now() > deadlineMs) return problem;
    await sleep(LOOK_INTERVAL_MS);
  }
}

/** Says, on standard error, when no worker will take the work: the command waits for one. */
export async function noteMissingWorker(client: Client, taskQueue: string, output: Output): Promise<void> {
  const problem = await whyStillNoWorker(client, taskQueue);
  if (problem) output.note(problem);
}

type Poller = Awaited<ReturnType<Client['workflowService']['describeTaskQueue']>>['pollers'][number];

/** `WORKER_VERSIONING_MODE_VERSIONED` of Temporal's API. */
const VERSIONED = 2;

/** The version of a worker that gets work only while that version is current; null of any other. */
function versionOf({ deploymentOptions }: Poller): WorkerDeploymentVersion | null {
  const { workerVersioningMode, deploymentName, buildId } = deploymentOptions ?? {};
  if ((workerVersioningMode as number | undefined) !== VERSIONED) return null;
  return { deploymentName: String(deploymentName), buildId: String(buildId) };
}

/**
 * Finds out whether a worker polls a task queue and gets work.
 *
 * @param clockAheadMs by how much this machine's clock is ahead of the server's.
 * @param remedy where no worker polls.
 * @returns null when one does, else a line for a person.
 */
export async function whyNoWorker(
  { workflowService, options: { namespace } }: Client,
  taskQueue: string,
  clockAheadMs = 0,
  remedy = SAME_QUEUE,
): Promise<string | null> {
  const { pollers, versioningInfo } = await workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
  });
  const lastPollMs = ({ lastAccessTime }: Poller) => optionalTsToMs(lastAccessTime) ?? 0;
  const expiredMs = Date.now() - clockAheadMs - POLL_EXPIRES_MS;
  const live = pollers.filter((poller) => lastPollMs(poller) > expiredMs);
  const current = versioningInfo?.currentDeploymentVersion;
  const versions = live.map(versionOf);
  const version = versions.find((one) => one !== null) ?? null;
  if (current) {
    const { deploymentName, buildId } = current;
    if (versions.some((one) => one?.buildId === buildId && one?.deploymentName === deploymentName))
      return null;
    return describeCurrentWithoutWorker(namespace, String(buildId), version);
  }
  if (versions.includes(null)) return null;
  if (version) return describeNoCurrentVersion(namespace, version);
  const lastMs = Math.max(0, ...pollers.map(lastPollMs));
  const last = lastMs > 0 ? ` (the last poll was at ${new Date(lastMs).toISOString()})` : '';
  return `no worker polls task queue ${taskQueue}${last}: ${remedy}`;
}
