import type { Client } from '@temporalio/client';
import type { Receipt } from '../contract/schemas';
import { WORKFLOW_TYPES } from '../contract/workflows';
import { findRun } from './describe-run';
import { listExecutions, visibilityQuery, type RunInfo } from './list-runs';
import { readRun } from './read-history';

/** The token that an earlier run delivered. */
export interface EarlierToken {
  runId: string;
  /** Null if the history of the run is gone, or its result is not a receipt. */
  receipt: Receipt | null;
  /** The request of that run, as its caller sent it. */
  request: object;
}

/**
 * Finds the token that forbids another one: the last that a run delivered. Starts and runs ask this
 * function. A token that was not delivered forbids nothing.
 *
 * @param options.permitted `true` permits any token; a run id permits the token of that run and of
 *   older ones.
 * @param options.newestRun the newest run of the id, if the caller has described it.
 */
export async function findEarlierToken(
  client: Client,
  workflowId: string,
  {
    permitted,
    newestRun,
  }: { permitted?: true | string | undefined; newestRun?: RunInfo | null } = {},
): Promise<EarlierToken | null> {
  if (permitted === true) return null;
  const run = await findDeliveredRun(client, workflowId, newestRun);
  if (run === null) return null;
  if (permitted !== undefined) {
    // The list may still lack the permitted run.
    const permittedRun = await findRun(client, { workflowId, runId: permitted });
    if (permittedRun !== null && run.startTime <= permittedRun.startTime) return null;
  }
  const { receipt, request } = await readRun(client, run);
  return { runId: run.runId, receipt, request };
}

async function findDeliveredRun(
  client: Client,
  workflowId: string,
  newestRun?: RunInfo | null,
): Promise<RunInfo | null> {
  // Temporal may not list it yet.
  if (newestRun?.type === WORKFLOW_TYPES.prepare && newestRun.status.name === 'COMPLETED') {
    return newestRun;
  }
  const fields = { WorkflowId: workflowId, WorkflowType: WORKFLOW_TYPES.prepare };
  const query = visibilityQuery(fields, "ExecutionStatus = 'Completed'");
  for await (const run of listExecutions(client, query, 1)) return run;
  return null;
}
