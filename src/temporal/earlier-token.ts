import type { Client } from '@temporalio/client';
import type { Receipt } from '../contract/schemas';
import { WORKFLOW_TYPES } from '../contract/workflows';
import { commandLine } from '../shared/command-line';
import { differingFields } from '../shared/compare-requests';
import { cutAndEscape } from '../shared/text';
import { describeRun, isOpen } from './describe-run';
import { listExecutions, visibilityQuery, type RunInfo } from './list-runs';
import { readReceipt, readRequest, readRun } from './read-history';

const MAX_LOCATION_LENGTH = 1000;

/**
 * A token that a closed run delivered, or that `recover` can still deliver. A delivered one has
 * null for what cannot be read any more.
 */
export type EarlierToken = {
  runId: string;
  /** The start of that run (RFC 3339). */
  startedAt: string;
} & (
  | { state: 'recoverable'; deliveryId: string; receipt: null }
  | { state: 'delivered'; deliveryId: string | null; receipt: Receipt | null }
);

/**
 * Finds the token that forbids another one: the token of the newest closed run of
 * `prepareLiveMigration` with this workflow id that has one. Starts, schedules and runs all ask
 * this function.
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
  for await (const run of listClosedRuns(client, workflowId, newestRun)) {
    if (run.runId === permitted) return null;
    const token = await readToken(client, run);
    if (!token) continue;
    if (permitted === undefined) return token;
    // The list may still lack the permitted run.
    const permittedRun = await describeRun(client, workflowId, permitted);
    const isPermitted = permittedRun !== null && run.startTime < permittedRun.startTime;
    return isPermitted ? null : token;
  }
  return null;
}

export type RecoverableTokenFinder = ReturnType<typeof createRecoverableTokenFinder>;

/**
 * Returns a function that finds the token of a closed run: null when it has none, or another run of
 * its workflow id delivered it. The function looks up once for each workflow id which tokens were
 * delivered.
 */
export function createRecoverableTokenFinder(client: Client) {
  const delivered = new Map<string, Promise<ReadonlySet<string>>>();
  return async (run: RunInfo): Promise<string | null> => {
    const { workflowId } = run;
    const token = await readToken(client, run);
    if (token?.state !== 'recoverable') return null;
    const deliveredIds = delivered.get(workflowId) ?? findDeliveredIds(client, workflowId);
    delivered.set(workflowId, deliveredIds);
    return (await deliveredIds).has(token.deliveryId) ? null : token.deliveryId;
  };
}

/** Finds the delivery ids of the tokens that the closed runs of a workflow id delivered. */
export async function findDeliveredIds(
  client: Client,
  workflowId: string,
): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  const newestRun = await describeRun(client, workflowId);
  for await (const run of listClosedRuns(client, workflowId, newestRun)) {
    const token = await readToken(client, run);
    if (token?.state === 'delivered' && token.deliveryId !== null) ids.add(token.deliveryId);
  }
  return ids;
}

/**
 * A worker may look for tokens of many workflow ids at once, and each run may have a memo of 2 MB.
 */
const RUNS_OF_A_PAGE = 5;

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
  for await (const run of listExecutions(client, query, RUNS_OF_A_PAGE)) {
    if (run.runId !== newestClosedRun?.runId) yield run;
  }
}

async function readToken(client: Client, run: RunInfo): Promise<EarlierToken | null> {
  const token = { runId: run.runId, startedAt: run.startTime.toISOString(), receipt: null };
  if (run.status.name === 'COMPLETED') {
    const receipt = await readReceipt(client, run);
    return { ...token, state: 'delivered', receipt, deliveryId: receipt?.deliveryId ?? null };
  }
  let { deliveryId } = run.memo;
  if (run.status.name === 'TERMINATED' || run.status.name === 'TIMED_OUT') {
    // Temporal ended these runs without notice, so the history knows more than the memo.
    const history = await readRun(client, run);
    if (history.deliveredId !== null) {
      return { ...token, state: 'delivered', deliveryId: history.deliveredId };
    }
    deliveryId = history.token?.deliveryId ?? deliveryId;
  }
  return deliveryId === null ? null : { ...token, state: 'recoverable', deliveryId };
}

/**
 * Describes the token, the difference between the earlier request and this one, and what to do.
 *
 * @param request the new request, not validated yet; null when there is none.
 */
export async function describeEarlierToken(
  client: Client,
  workflowId: string,
  token: EarlierToken,
  request: object | null,
): Promise<string> {
  const { runId, receipt } = token;
  const earlier = request && (await readRequest(client, { workflowId, runId }));
  const fields = earlier ? differingFields(earlier, request) : [];
  const difference =
    fields.length > 0 ? ` The earlier request differs in ${fields.join(', ')}.` : '';
  const start = commandLine('start', workflowId, '--again', '…');
  const again = `Start with "again": true (\`${start}\`) to create another token.`;
  if (token.state === 'delivered') {
    const where = receipt
      ? `: it is in ${cutAndEscape(receipt.location, MAX_LOCATION_LENGTH)}`
      : '';
    return `run ${runId} delivered a token for these organizations${where}.${difference} ${again}`;
  }
  const recover = commandLine('recover', workflowId, '--run-id', runId);
  return (
    `run ${runId} ended with token ${token.deliveryId}, which may not have arrived.${difference}` +
    ` Deliver it with \`${recover}\`. ${again}`
  );
}
