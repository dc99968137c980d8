import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { optionalTsToMs } from '@temporalio/common/lib/time';
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

/**
 * Finds out whether a worker polls a task queue.
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
  const { pollers } = await workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
  });
  const lastMs = Math.max(0, ...pollers.map(({ lastAccessTime }) => optionalTsToMs(lastAccessTime) ?? 0));
  if (lastMs > Math.max(0, Date.now() - clockAheadMs - POLL_EXPIRES_MS)) return null;
  const last = lastMs > 0 ? ` (the last poll was at ${new Date(lastMs).toISOString()})` : '';
  return `no worker polls task queue ${taskQueue}${last}: ${remedy}`;
}
