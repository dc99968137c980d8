import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { tsToMs } from '@temporalio/common/lib/time';

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

/**
 * Finds out whether a worker polls a task queue.
 *
 * @returns null when one does, else a line for a person.
 */
export async function describeNoPoller(
  workflowService: Client['workflowService'],
  namespace: string,
  taskQueue: string,
): Promise<string | null> {
  const { pollers } = await workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
  });
  const lastPolls = pollers.flatMap(({ lastAccessTime }) => (lastAccessTime ? [tsToMs(lastAccessTime)] : []));
  const lastMs = Math.max(0, ...lastPolls);
  if (Date.now() - lastMs < POLL_EXPIRES_MS) return null;
  const last = lastMs > 0 ? ` (the last poll was at ${new Date(lastMs).toISOString()})` : '';
  return `no worker polls task queue ${taskQueue}${last}: start one, or correct --task-queue`;
}
