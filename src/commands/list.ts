import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { pMapIterable, pMapSkip } from 'p-map';
import { readMemo } from '../contract/memo';
import { workflowIdFor } from '../contract/names';
import type { PrepareRequest } from '../contract/schemas';
import { retentionMsOf } from '../temporal/retention';
import { listRuns } from '../temporal/visibility';
import type { ListOptions } from './cli/options';
import type { Output } from './cli/output';
import type { CommandContext } from './cli/temporal';
import { listUnconfirmed } from './list-report';
import { readEnding, readRequest } from '../temporal/run-history';
import { READ_CONCURRENCY, isOpen, leftTokens, runsOf } from './runs/find-runs';
import { redeliverClosedCommand } from './runs/refusals';

/**
 * What the list of Temporal and the memo say of a run, and of a token that a closed run left, the later runs of its id;
 * `failure` and `request` only where a filter reads them.
 */
interface ListedRun {
  workflowId: string;
  runId: string;
  state: string;
  startedAt: string;
  closedAt: string | null;
  unconfirmedTokens: number;
  /** That an undelivered run waits for. */
  sink: string | null;
  /** Of the token of an undelivered run, or of one that a closed run left and no later run delivered. */
  deliveryId: string | null;
  failure?: { type: string; message: string };
  request?: Partial<PrepareRequest>;
}

/** Prints runs in the order of Temporal's list, and never holds more than a few of them. */
export async function list(
  { client, taskQueue, output }: CommandContext,
  options: ListOptions,
): Promise<void> {
  const notShown: NotShown = { failures: 0, terminated: 0, historiesGone: 0 };
  const listed = listRuns(client, taskQueue, ...conditionsOf(options));
  const matches = pMapIterable(listed, (info) => matchOf(client, listedRun(info), options, notShown), {
    concurrency: READ_CONCURRENCY,
  });
  if (options.report) await listUnconfirmed(client, matches, output);
  else await printRuns(matches, output);
  output.note(...notesOf(options, notShown, await retainedSince(client)));
}

function conditionsOf({ undelivered, sink, failure, org, since }: ListOptions): string[] {
  return [
    (undelivered || sink !== undefined) && 'CloseTime IS NULL',
    failure && "ExecutionStatus = 'Failed'",
    org && `WorkflowId STARTS_WITH '${workflowIdFor(org)}'`,
    since && `(CloseTime IS NULL OR CloseTime >= '${since.toISOString()}')`,
  ].filter((condition) => typeof condition === 'string');
}

/** What the list leaves out, and why. */
interface NotShown {
  /** Runs whose failure no filter read. */
  failures: number;
  /** Runs without a count of unconfirmed tokens that were terminated. */
  terminated: number;
  /** Runs that a filter could not be applied to. */
  historiesGone: number;
}

/** The run with what the filters read of it, where it matches every filter. */
async function matchOf(
  client: Client,
  run: ListedRun,
  { undelivered, sink, unconfirmed, failure, requestedBy, changeReference }: ListOptions,
  notShown: NotShown,
): Promise<ListedRun | typeof pMapSkip> {
  if (run.state === 'terminated' && run.unconfirmedTokens === 0) notShown.terminated += 1;
  if (undelivered && run.state !== 'undelivered') return pMapSkip;
  if (sink !== undefined && run.sink !== sink) return pMapSkip;
  if (unconfirmed && run.unconfirmedTokens === 0) return pMapSkip;
  const historyGone = (): typeof pMapSkip => {
    notShown.historiesGone += 1;
    return pMapSkip;
  };
  if (failure) {
    const ending = await readEnding(client, run);
    if (!ending) return historyGone();
    if (ending.type !== failure) return pMapSkip;
    run = { ...run, failure: ending };
  }
  if (requestedBy !== undefined || changeReference !== undefined) {
    const request = await readRequest(client, run);
    if (!request) return historyGone();
    if (requestedBy !== undefined && request.requestedBy !== requestedBy) return pMapSkip;
    if (changeReference !== undefined && request.changeReference !== changeReference) return pMapSkip;
    run = { ...run, request };
  }
  if (run.state === 'failed' && !run.failure) notShown.failures += 1;
  // The memo of a closed run cannot say what became of its token afterwards.
  if (run.closedAt && run.deliveryId && !(await isLeft(client, run))) run = { ...run, deliveryId: null };
  return run;
}

async function isLeft(client: Client, { workflowId, deliveryId }: ListedRun): Promise<boolean> {
  const left = await leftTokens(client, await runsOf(client, workflowId));
  return left.some(({ token }) => token.deliveryId === deliveryId);
}

function listedRun(info: WorkflowExecutionInfo): ListedRun {
  const { workflowId, runId, startTime, closeTime } = info;
  const { step, sink, deliveryId, unconfirmedTokens } = readMemo(info.memo);
  const undelivered = isOpen(info) && step === 'undelivered';
  const delivered = info.status.name === 'COMPLETED';
  return {
    workflowId,
    runId,
    state: undelivered ? 'undelivered' : delivered ? 'delivered' : info.status.name.toLowerCase(),
    startedAt: startTime.toISOString(),
    closedAt: closeTime?.toISOString() ?? null,
    unconfirmedTokens,
    sink: undelivered ? sink : null,
    deliveryId,
  };
}

async function printRuns(runs: AsyncIterable<ListedRun>, output: Output): Promise<void> {
  let count = 0;
  for await (const run of runs) {
    if (count === 0) output.say(rowOf('STARTED', 'STATE', 'RUN', ''));
    count += 1;
    const { startedAt, state, workflowId } = run;
    output.print(run, rowOf(startedAt, state, workflowId, detailOf(run)));
  }
  output.say(`${count} run(s)`);
}

function rowOf(startedAt: string, state: string, workflowId: string, detail: string): string {
  return `${startedAt.padEnd(26)}${state.padEnd(13)}${workflowId.padEnd(69)}  ${detail}`.trimEnd();
}

function detailOf(run: ListedRun): string {
  const { sink, deliveryId, closedAt, unconfirmedTokens } = run;
  const { requestedBy, changeReference } = run.request ?? {};
  return [
    sink !== null && `waits on sink ${sink}`,
    closedAt && deliveryId && `left a token: ${redeliverClosedCommand(run)}`,
    unconfirmedTokens > 0 && `${unconfirmedTokens} unconfirmed`,
    run.failure && `${run.failure.type}: ${run.failure.message}`,
    requestedBy && `requested by ${requestedBy}`,
    changeReference && `change ${changeReference}`,
  ]
    .filter(Boolean)
    .join('; ');
}

/** What the list cannot know. */
function notesOf(
  { unconfirmed, report }: ListOptions,
  notShown: NotShown,
  retained: string | null,
): string[] {
  return [
    `the list may lag by a moment${retained ? `; runs that closed before ${retained} are deleted` : ''}`,
    !report &&
      notShown.failures > 0 &&
      'why a run failed: live-migration-prep watch --workflow-id <id>; all of one type: live-migration-prep list --failure <type>',
    unconfirmed &&
      notShown.terminated > 0 &&
      `${notShown.terminated} terminated run(s) are not shown: a request that was in progress when a run was terminated is in no count; see when that was: live-migration-prep list --json | grep terminated`,
    notShown.historiesGone > 0 &&
      `${notShown.historiesGone} run(s) are not shown: their histories, which a filter needs, are gone`,
  ].filter((note) => typeof note === 'string');
}

/** Who may list runs need not be allowed to describe the namespace. */
async function retainedSince(client: Client): Promise<string | null> {
  const retentionMs = await retentionMsOf(client).catch(() => 0);
  return retentionMs ? new Date(Date.now() - retentionMs).toISOString() : null;
}
