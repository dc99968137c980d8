import { WorkflowNotFoundError, isGrpcServiceError, type Client } from '@temporalio/client';
import pMap from 'p-map';
import { WORKFLOW_TYPES } from '../contract/names';
import { readRun, type RunHistory } from './run-history';

/** Histories read at once. */
const READ_CONCURRENCY = 10;
/** Of gRPC's status codes. */
const NOT_FOUND = new Set([5]);

export interface Run {
  workflowId: string;
  runId: string;
  /** Workflow type. */
  type: string;
  /** Temporal's name, such as RUNNING or COMPLETED. */
  status: string;
  startedAt: Date;
}

export function isOpen({ status }: Pick<Run, 'status'>): boolean {
  return status === 'RUNNING' || status === 'PAUSED';
}

/** Whoever may start work in the namespace can run any workflow type under our id: it says nothing of our tokens. */
export function isOurs({ type }: Pick<Run, 'type'>): boolean {
  return type === WORKFLOW_TYPES.prepare;
}

/** Our own runs that delivered. */
export function isDelivered(run: Run): boolean {
  return isOurs(run) && run.status === 'COMPLETED';
}

/** Every run of one workflow id that Temporal still lists, newest first. */
export async function runsOf(client: Client, workflowId: string): Promise<Run[]> {
  const [listed, newest] = await Promise.all([listRuns(client, workflowId), newestRun(client, workflowId)]);
  const others = listed.filter(({ runId }) => runId !== newest?.runId);
  others.sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime());
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
  const histories = await pMap(closed, async (run) => ({ run, ...(await readRunIfRetained(client, run)) }), {
    concurrency: READ_CONCURRENCY,
  });
  const delivered = new Set(
    histories
      .filter(({ run, deliveredTo }) => isDelivered(run) || deliveredTo !== null)
      .map(({ token }) => token?.deliveryId),
  );
  const left = new Map<string, LeftToken>();
  for (const { token, ...history } of histories) {
    if (!token || delivered.has(token.deliveryId) || left.has(token.deliveryId)) continue;
    left.set(token.deliveryId, { ...history, token });
  }
  return [...left.values()];
}

/** The list names a run for moments after its history was deleted: nothing can be recovered from it any more. */
async function readRunIfRetained(client: Client, { workflowId, runId }: Run): Promise<RunHistory> {
  try {
    return await readRun(client.workflow.getHandle(workflowId, runId));
  } catch (error) {
    // The SDK wraps this error in its other calls, and not in fetchHistory.
    if (!isGrpcServiceError(error) || !NOT_FOUND.has(error.code)) throw error;
    return { request: null, token: null, deliveredTo: null, sinksTried: [] };
  }
}

async function listRuns(client: Client, workflowId: string): Promise<Run[]> {
  const runs: Run[] = [];
  const query = `WorkflowId = ${JSON.stringify(workflowId)}`;
  for await (const { runId, type, status, startTime } of client.workflow.list({ query })) {
    runs.push({ workflowId, runId, type, status: status.name, startedAt: startTime });
  }
  return runs;
}

async function newestRun(client: Client, workflowId: string): Promise<Run | null> {
  try {
    const { runId, type, status, startTime } = await client.workflow.getHandle(workflowId).describe();
    return { workflowId, runId, type, status: status.name, startedAt: startTime };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}
