import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { pMapIterable, pMapSkip } from 'p-map';
import { z } from 'zod';
import { checkRequest } from '../checks/check-request';
import { readMemo } from '../contract/memo';
import { workflowIdFor } from '../contract/names';
import { receiptSchema, type PrepareRequest, type Receipt } from '../contract/schemas';
import { commandLine } from '../shared/command-line';
import { formatCount } from '../shared/text';
import { findRecoverableToken } from '../temporal/earlier-token';
import { readEnding, readRequest, readResult } from '../temporal/run-history';
import { isOpen, listRuns, readRetentionMs } from '../temporal/visibility';
import type { ListOptions } from './cli/options';
import type { Output } from './cli/output';
import type { CommandContext } from './cli/temporal';
import { describeAttempts, readAttempts, type Attempts } from './runs/unconfirmed-attempts';

/** The number of histories read at once. */
const READ_CONCURRENCY = 20;

/** A run as Temporal's list and the memo describe it. Optional fields are read from its history. */
interface ListedRun {
  workflowId: string;
  runId: string;
  state: string;
  startedAt: string;
  closedAt: string | null;
  unconfirmedTokens: number;
  /** The sink of an undelivered run. */
  sink: string | null;
  /** The token of an undelivered run, or the recoverable token of a closed one. */
  deliveryId: string | null;
  /** Present with `--unconfirmed`. */
  unconfirmed?: Attempts;
  /** Present with `--details` and with `--failure`. */
  failure?: { type: string; message: string } | null;
  /** Present with `--details`, like the receipt. */
  request?: z.output<typeof requestSchema> | null;
  receipt?: Receipt | null;
}

const text = z.string().max(1000).nullable().catch(null);

/** A request for a person to read. Anyone in the namespace can start a run with any input. */
const requestSchema = z.object({
  orgId: text,
  sourceOrgId: text,
  accessListIps: z.array(z.string().max(1000)).max(1000).nullable().catch(null),
  sink: text,
  requestedBy: text,
  changeReference: text,
});

/** Prints runs in the order of Temporal's list: open runs, then closed ones by their end, newest first. */
export async function list(context: CommandContext, options: ListOptions): Promise<void> {
  const { client, taskQueue, output } = context;
  const notShown: NotShown = { open: 0, terminated: 0 };
  const listed = listRuns(client, taskQueue, ...buildConditions(options));
  const matches = pMapIterable(listed, (info) => matchRun(client, info, options, notShown), {
    concurrency: READ_CONCURRENCY,
  });
  if (options.requests) return printRequests(context, matches);
  await printRuns(matches, output);
  output.note(...describeNotShown(options, notShown, await retainedSince(client)));
}

function buildConditions({ undelivered, recoverable, failure, org, since }: ListOptions): string[] {
  return [
    undelivered && 'CloseTime IS NULL',
    recoverable && "ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut')",
    failure && "ExecutionStatus = 'Failed'",
    org && `WorkflowId STARTS_WITH '${workflowIdFor(org)}'`,
    since && `(CloseTime IS NULL OR CloseTime >= '${since.toISOString()}')`,
  ].filter((condition) => typeof condition === 'string');
}

/** Counts of runs that the list leaves out although somebody may look for them. */
interface NotShown {
  /** Open runs that are not undelivered. */
  open: number;
  /** Terminated runs without a count of unconfirmed tokens. */
  terminated: number;
}

/** Reads what the options need of a run. @returns pMapSkip when the run does not match every filter. */
async function matchRun(
  client: Client,
  info: WorkflowExecutionInfo,
  { undelivered, unconfirmed, recoverable, failure, details, requests }: ListOptions,
  notShown: NotShown,
): Promise<ListedRun | typeof pMapSkip> {
  const run = readListed(info);
  if (run.state === 'terminated' && run.unconfirmedTokens === 0) notShown.terminated += 1;
  if (undelivered && run.state !== 'undelivered') {
    notShown.open += 1;
    return pMapSkip;
  }
  if (unconfirmed && run.unconfirmedTokens === 0) return pMapSkip;
  if (failure || (details && run.state === 'failed')) {
    run.failure = await readEnding(client, run);
    if (failure && run.failure?.type !== failure) return pMapSkip;
  }
  if (requests) return run;
  // The memo of a closed run does not know whether a later run delivered its token.
  if (recoverable || (run.closedAt && run.deliveryId))
    run.deliveryId = await findRecoverableToken(client, info);
  if (recoverable && run.deliveryId === null) return pMapSkip;
  if (unconfirmed) run.unconfirmed = await readAttempts(client, run);
  if (!details) return run;
  run.request = requestSchema.nullable().parse(await readRequest(client, run));
  if (run.state === 'delivered')
    run.receipt = receiptSchema.safeParse(await readResult(client, run)).data ?? null;
  return run;
}

function readListed(info: WorkflowExecutionInfo): ListedRun {
  const { workflowId, runId, startTime, closeTime, status } = info;
  const { step, sink, deliveryId, unconfirmedTokens } = readMemo(info.memo);
  const isUndelivered = isOpen(info) && step === 'undelivered';
  const closedState = status.name === 'COMPLETED' ? 'delivered' : status.name.toLowerCase();
  return {
    workflowId,
    runId,
    state: isUndelivered ? 'undelivered' : closedState,
    startedAt: startTime.toISOString(),
    closedAt: closeTime?.toISOString() ?? null,
    unconfirmedTokens,
    sink: isUndelivered ? sink : null,
    deliveryId,
  };
}

async function printRuns(runs: AsyncIterable<ListedRun>, output: Output): Promise<void> {
  let count = 0;
  for await (const run of runs) {
    if (count === 0) output.say(formatRow('STARTED', 'STATE', 'RUN', ''));
    count += 1;
    const { startedAt, state, workflowId, unconfirmed } = run;
    output.print(run, [
      formatRow(startedAt, state, workflowId, describeRun(run)),
      ...(unconfirmed ? describeAttempts(unconfirmed) : []),
    ]);
  }
  output.say(formatCount(count, 'run'));
}

function formatRow(startedAt: string, state: string, workflowId: string, details: string): string {
  return `${startedAt.padEnd(26)}${state.padEnd(13)}${workflowId.padEnd(69)}  ${details}`.trimEnd();
}

function describeRun(run: ListedRun): string {
  const { workflowId, runId, sink, deliveryId, closedAt, unconfirmedTokens, failure, request, receipt } = run;
  return [
    sink !== null && `waits on sink ${sink}`,
    closedAt && deliveryId && `recoverable token: ${commandLine('recover', workflowId, '--run-id', runId)}`,
    unconfirmedTokens > 0 && `${unconfirmedTokens} unconfirmed`,
    failure && `${failure.type}: ${failure.message}`,
    request && `request ${JSON.stringify(request)}`,
    receipt && `receipt ${JSON.stringify(receipt)}`,
  ]
    .filter(Boolean)
    .join('; ');
}

/**
 * Prints the request of the newest of these runs for each workflow id. It prints all at the end, so that a list that
 * fails half-way prints nothing that a pipe would start.
 */
async function printRequests(
  { client, output }: CommandContext,
  runs: AsyncIterable<ListedRun>,
): Promise<void> {
  const newest = new Map<string, ListedRun>();
  for await (const run of runs) if (!newest.has(run.workflowId)) newest.set(run.workflowId, run);
  const requests: PrepareRequest[] = [];
  const read = pMapIterable(newest.values(), (run) => readStartable(client, run), {
    concurrency: READ_CONCURRENCY,
  });
  for await (const request of read) requests.push(request);
  for (const request of requests) output.print(request, JSON.stringify(request));
  const left = newest.size - requests.length;
  if (left > 0)
    output.note(`left out ${formatCount(left, 'run')}: the request is not valid, or the history is gone`);
}

/** @returns pMapSkip when the request is not one that a start of this pair can repeat. */
async function readStartable(client: Client, run: ListedRun): Promise<PrepareRequest | typeof pMapSkip> {
  const { again: _, ...request } = ((await readRequest(client, run)) ?? {}) as PrepareRequest;
  if (checkRequest(request).problems.length > 0) return pMapSkip;
  return workflowIdFor(request.orgId, request.sourceOrgId) === run.workflowId ? request : pMapSkip;
}

/** A note on the open runs that a list of undelivered runs leaves out. */
export function describeNotCounted(open: number): string[] {
  if (open === 0) return [];
  return [
    `not counted: ${formatCount(open, 'open run')}, creating a token or in the first round of delivery`,
  ];
}

function describeNotShown(
  { unconfirmed }: ListOptions,
  { open, terminated }: NotShown,
  retained: string | null,
): string[] {
  return [
    `the list may lag by a moment${retained ? `; runs that closed before ${retained} are deleted` : ''}`,
    ...describeNotCounted(open),
    unconfirmed &&
      terminated > 0 &&
      `not shown: ${formatCount(terminated, 'terminated run')}.` +
        ' A request in progress at the termination is in no count.' +
        ' To see when that was: live-migration-prep list --json | grep terminated',
  ].filter((note) => typeof note === 'string');
}

/** @returns null without the permission to describe the namespace, which a list of runs does not need. */
async function retainedSince(client: Client): Promise<string | null> {
  const retentionMs = await readRetentionMs(client).catch(() => 0);
  return retentionMs ? new Date(Date.now() - retentionMs).toISOString() : null;
}
