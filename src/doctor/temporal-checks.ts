import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { WORKFLOW_TYPES } from '../contract/names';
import { escapeControls, formatHours, shellQuote } from '../shared/text';
import { findGrpcError, toMs } from '../temporal/grpc';
import { findListRefusal, readRetentionMs, visibilityQuery } from '../temporal/visibility';
import { failedCheck, ok, unchecked, warning, type CheckResult } from './check-result';

/** Retention that leaves time to recover a token over a weekend. */
const RECOMMENDED_RETENTION_MS = 72 * 3_600_000;

/** @throws when Temporal cannot be reached. */
export async function checkNamespace(client: Client, address: string): Promise<CheckResult> {
  const { namespace } = client.options;
  const { serverVersion } = await client.workflowService.getSystemInfo({});
  const retentionMs = await readRetentionMs(client);
  const server =
    `server ${serverVersion || 'of unknown version'} at ${address}, namespace ${namespace},` +
    ` which retains closed runs for ${formatHours(retentionMs)}`;
  if (isDefective(serverVersion)) {
    return warning(
      `${server}: this release has a security defect in Update-with-Start: upgrade it to 1.30 or later,` +
        ' or to 1.27.4, 1.28.2, 1.29.2 or a later patch of these',
    );
  }
  if (retentionMs >= RECOMMENDED_RETENTION_MS) return ok(server);
  return warning(
    `${server}: set at least ${formatHours(RECOMMENDED_RETENTION_MS)}, so that the token of a cancelled or` +
      ' terminated run can still be recovered:' +
      ` temporal operator namespace update --namespace ${shellQuote(namespace)} --retention 72h`,
  );
}

/** The first patch without the defect, by minor version of server 1. */
const REPAIRED_PATCHES: Readonly<Record<number, number>> = { 27: 4, 28: 2, 29: 2 };
const FIRST_REPAIRED_MINOR = 30;

/** Tells whether README warns of the server's release. A version of another form counts as repaired. */
export function isDefective(serverVersion: string): boolean {
  const found = /^1\.(\d+)\.(\d+)/.exec(serverVersion);
  if (!found) return false;
  const [minor, patch] = [Number(found[1]), Number(found[2])];
  return minor < FIRST_REPAIRED_MINOR && patch < (REPAIRED_PATCHES[minor] ?? Infinity);
}

const LIST_TIMEOUT_MS = 4000;

/** Checks the list of runs, which each run of `prepareLiveMigration` needs before it creates a token. */
export async function checkRunList(client: Client): Promise<CheckResult> {
  const { namespace } = client.options;
  const query = visibilityQuery({ WorkflowType: WORKFLOW_TYPES.prepare });
  try {
    await client.withDeadline(Date.now() + LIST_TIMEOUT_MS, () =>
      client.workflowService.listWorkflowExecutions({ namespace, query, pageSize: 1 }),
    );
    return ok('Temporal lists runs');
  } catch (error) {
    const reason = escapeControls(findGrpcError(error)?.details || (error as Error).message);
    const what = `list the runs of namespace ${namespace} (${reason})`;
    const refusal = findListRefusal(error);
    if (refusal) return failedCheck(`Temporal refuses to ${what}: ${refusal}; without the list no run creates a token`);
    return failedCheck(
      `Temporal did not ${what}: check its visibility store and the limit frontend.namespaceRPS.visibility;` +
        ' until it lists runs, new runs wait',
      true,
    );
  }
}

/** A long poll lasts a minute, so a worker whose last poll is older is gone. The server lists it for five minutes. */
const POLL_EXPIRES_MS = 70_000;
const LOOK_INTERVAL_MS = 250;

/** Time for the first poll of a worker that has just started: the server lists a worker only after it. */
export const FIRST_POLL_MS = 2000;

/**
 * Checks whether a worker polls a task queue. Without one the result is a warning, since a worker may start later;
 * without the permission to describe task queues, which a start of runs does not need, it is `unchecked`.
 *
 * @param options `patienceMs` is the time to wait for a worker; `expiresMs` is the maximum age of its last poll, by
 *   this machine's clock.
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

async function checkPollers(client: Client, taskQueue: string, expiresMs: number): Promise<CheckResult> {
  const { namespace } = client.options;
  const { pollers } = await client.workflowService.describeTaskQueue({ namespace, taskQueue: { name: taskQueue } });
  const lastMs = Math.max(0, ...pollers.map(({ lastAccessTime }) => toMs(lastAccessTime)));
  if (lastMs > Math.max(0, Date.now() - expiresMs)) return ok('a worker polls it');
  const last = lastMs > 0 ? ` (the last poll was at ${new Date(lastMs).toISOString()})` : '';
  return warning(
    `no worker polls task queue ${taskQueue}${last}: start one, or correct the name;` +
      ' a run stays on the task queue on which it was started',
  );
}
