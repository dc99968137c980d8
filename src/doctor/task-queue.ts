import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
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
 * Checks whether a worker polls a task queue. Without one the result is a warning, since a worker
 * may start later; without the permission to describe task queues, which a start of runs does not
 * need, it is `unchecked`.
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
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
  });
  // 0 without a poller.
  const lastMs = Math.max(0, ...pollers.map(({ lastAccessTime }) => toMs(lastAccessTime)));
  if (lastMs > Math.max(0, Date.now() - expiresMs)) return ok('a worker polls it');
  const lastPoll = lastMs > 0 ? ` (the last poll was at ${new Date(lastMs).toISOString()})` : '';
  return warning(
    `no worker polls task queue ${taskQueue}${lastPoll}: start one, or correct the name;` +
      ' a run stays on the task queue on which it was started',
  );
}
