import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { optionalTsToMs } from '@temporalio/common/lib/time';
import type { Output } from '../cli/output';

/** A long poll lasts a minute, so a worker whose last poll is older is gone. The server lists it for five minutes. */
const POLL_EXPIRES_MS = 70_000;

const PATIENCE_MS = 2000;
const LOOK_INTERVAL_MS = 250;

/**
 * Finds out whether a worker polls a task queue. It looks for about two seconds, since the server lists a worker only
 * after its first poll.
 *
 * @param expiresMs maximum age of the last poll, by this machine's clock.
 * @returns a line for a person; null when a worker polls, or without the permission to describe task queues, which a
 *   start of runs does not need.
 */
export async function findMissingWorker(
  client: Client,
  taskQueue: string,
  expiresMs = POLL_EXPIRES_MS,
): Promise<string | null> {
  const deadlineMs = Date.now() + PATIENCE_MS;
  for (;;) {
    const problem = await lookForWorker(client, taskQueue, expiresMs).catch(() => null);
    if (problem === null || Date.now() > deadlineMs) return problem;
    await sleep(LOOK_INTERVAL_MS);
  }
}

/** Notes on standard error that no worker polls the task queue, so that the command waits for one. */
export async function noteMissingWorker(client: Client, taskQueue: string, output: Output): Promise<void> {
  const problem = await findMissingWorker(client, taskQueue);
  if (problem) output.note(problem);
}

/** Looks once. @throws when Temporal does not describe the task queue. */
export async function lookForWorker(
  { workflowService, options: { namespace } }: Client,
  taskQueue: string,
  expiresMs = POLL_EXPIRES_MS,
): Promise<string | null> {
  const queue = { namespace, taskQueue: { name: taskQueue } };
  const { pollers } = await workflowService.describeTaskQueue(queue);
  const lastMs = Math.max(0, ...pollers.map(({ lastAccessTime }) => optionalTsToMs(lastAccessTime) ?? 0));
  if (lastMs > Math.max(0, Date.now() - expiresMs)) return null;
  const last = lastMs > 0 ? ` (the last poll was at ${new Date(lastMs).toISOString()})` : '';
  return (
    `no worker polls task queue ${taskQueue}${last}: start one, or correct the name;` +
    ' a run stays on the task queue on which it was started'
  );
}
