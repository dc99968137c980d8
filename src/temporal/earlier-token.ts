import type { Client } from '@temporalio/client';
import type { Receipt } from '../contract/schemas';
import type { TokenState } from '../contract/states';
import { WORKFLOW_TYPES } from '../contract/workflows';
import { findRun } from './describe-run';
import { listExecutions, visibilityQuery, type RunInfo } from './list-runs';
import { readRun } from './read-history';
import { findTokenOf, isOpen, mayHaveToken } from './run-state';

/** The token of a closed run. */
export interface EarlierToken {
  runId: string;
  /** The start of that run. */
  startTime: Date;
  state: Exclude<TokenState, 'open'>;
  /** Null if it cannot be read, or the history of a delivered one is gone. */
  deliveryId: string | null;
  /** Null if the worker could not read it from the token, or the history is gone. */
  publicApiKey: string | null;
  /** The sinks that may have an abandoned token. */
  sinksTried: string[];
  /** Null for an abandoned token, and for what cannot be read any more. */
  receipt: Receipt | null;
  /** The request of that run, as its caller sent it. */
  request: object;
}

/**
 * Yields the tokens of the closed runs of `prepareLiveMigration` with a workflow id, newest run
 * first.
 *
 * @param newestRun the newest run of the id, if the caller has described it.
 */
async function* readTokens(
  client: Client,
  workflowId: string,
  newestRun?: RunInfo | null,
): AsyncGenerator<EarlierToken> {
  for await (const run of listClosedRuns(client, workflowId, newestRun)) {
    if (!mayHaveToken(run)) continue;
    const { runId, startTime } = run;
    const history = await readRun(client, run);
    const token = findTokenOf(run, history);
    if (token === null || token.state === 'open') continue;
    const { state, deliveryId, publicApiKey } = token;
    const { sinksTried, receipt, request } = history;
    yield { runId, startTime, state, deliveryId, publicApiKey, sinksTried, receipt, request };
  }
}

/**
 * Finds the token that forbids another one: that of the newest closed run that has one. Starts and
 * runs ask this function.
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
  for await (const token of readTokens(client, workflowId, newestRun)) {
    if (permitted === undefined) return token;
    // The list may still lack the permitted run.
    const permittedRun = await findRun(client, { workflowId, runId: permitted });
    const isPermitted = permittedRun !== null && token.startTime <= permittedRun.startTime;
    return isPermitted ? null : token;
  }
  return null;
}

/** Tells whether a newer run of the same workflow id has a token. */
export async function hasNewerToken(
  client: Client,
  { workflowId, runId }: Pick<RunInfo, 'workflowId' | 'runId'>,
): Promise<boolean> {
  const newestRun = await findRun(client, { workflowId });
  if (newestRun && newestRun.runId !== runId && isOpen(newestRun)) {
    const history = await readRun(client, newestRun);
    if (findTokenOf(newestRun, history) !== null) return true;
  }
  const token = await findEarlierToken(client, workflowId, { newestRun });
  return token !== null && token.runId !== runId;
}

/** Small: a worker searches for many workflow ids at once, and one run's memo can have 2 MB. */
const PAGE_SIZE = 5;

/**
 * Yields the closed runs of `prepareLiveMigration` with a workflow id, newest first, as Temporal
 * lists them.
 */
export async function* listClosedRuns(
  client: Client,
  workflowId: string,
  newestRun?: RunInfo | null,
) {
  // A run that was open when it was described may have closed since.
  const newestClosedRun =
    newestRun?.type === WORKFLOW_TYPES.prepare && !isOpen(newestRun) ? newestRun : null;
  if (newestClosedRun) yield newestClosedRun;
  const fields = { WorkflowId: workflowId, WorkflowType: WORKFLOW_TYPES.prepare };
  const query = visibilityQuery(fields, 'CloseTime IS NOT NULL');
  for await (const run of listExecutions(client, query, PAGE_SIZE)) {
    if (run.runId !== newestClosedRun?.runId) yield run;
  }
}
