import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import pMap from 'p-map';
import { WORKFLOW_TYPES } from '../../contract/names';
import { nullIfNotFound } from '../../temporal/grpc';
import { visibilityQuery } from '../../temporal/visibility';
import { readRun, type RunHistory } from '../../temporal/run-history';

/** Histories read at once. */
export const READ_CONCURRENCY = 20;

export type Run = Pick<
  WorkflowExecutionInfo,
  'workflowId' | 'runId' | 'type' | 'taskQueue' | 'status' | 'startTime'
>;

export function isOpen({ status: { name } }: Pick<Run, 'status'>): boolean {
  return name === 'RUNNING' || name === 'PAUSED';
}

/** Whoever may start work in the namespace can run any type under our id: such a run says nothing of our tokens. */
export function isOurs({ type }: Pick<Run, 'type'>): boolean {
  return type === WORKFLOW_TYPES.prepare;
}

/** Our own runs that delivered. */
export function isDelivered(run: Run): boolean {
  return isOurs(run) && run.status.name === 'COMPLETED';
}

/** Every run of one workflow id that Temporal still lists, newest first. */
export async function runsOf(client: Client, workflowId: string): Promise<Run[]> {
  const [listed, newest] = await Promise.all([
    runsListed(client, workflowId),
    client.workflow.getHandle(workflowId).describe().catch(nullIfNotFound),
  ]);
  const others = listed.filter(({ runId }) => runId !== newest?.runId);
  others.sort((a, b) => b.startTime.getTime() - a.startTime.getTime());
  // The list lags behind by moments, and the newest run is the one that matters most.
  return newest ? [newest, ...others] : others;
}

export interface LeftToken extends RunHistory {
  token: NonNullable<RunHistory['token']>;
  run: Run;
}

/**
 * Tokens that closed runs created or were given, and that no run delivered, newest first. They wait in the history of
 * those runs, which were cancelled or terminated, or whose recovery was refused.
 */
export async function leftTokens(client: Client, runs: readonly Run[]): Promise<LeftToken[]> {
  const closed = runs.filter((run) => isOurs(run) && !isOpen(run));
  const histories = await pMap(closed, async (run) => ({ run, ...(await readRun(client, run)) }), {
    concurrency: READ_CONCURRENCY,
  });
  const delivered = new Set(
    histories
      .filter(({ run, confirmed }) => isDelivered(run) || confirmed)
      .map(({ token }) => token?.deliveryId),
  );
  const left = new Map<string, LeftToken>();
  for (const { token, ...history } of histories) {
    if (!token || delivered.has(token.deliveryId) || left.has(token.deliveryId)) continue;
    left.set(token.deliveryId, { ...history, token });
  }
  return [...left.values()];
}

async function runsListed(client: Client, workflowId: string): Promise<Run[]> {
  const runs: Run[] = [];
  const query = visibilityQuery({ WorkflowId: workflowId });
  for await (const run of client.workflow.list({ query })) runs.push(run);
  return runs;
}
