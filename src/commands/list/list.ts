import type { Client } from '@temporalio/client';
import pMap, { pMapIterable } from 'p-map';
import { z } from 'zod';
import { workflowIdFor } from '../../contract/names';
import type { PrepareRequest, Receipt, Status } from '../../contract/schemas';
import { validateFields } from '../../requests/validate-fields';
import { commandLine } from '../../shared/command-line';
import { formatCount, formatHours, truncate } from '../../shared/text';
import { createRecoverableTokenFinder, type RecoverableTokenFinder } from '../../temporal/earlier-token';
import { findGrpcError, withReadTimeout } from '../../temporal/grpc';
import { readFailure, readReceipt, readRequest, readRun } from '../../temporal/run-history';
import type { UnconfirmedAttempt } from '../../temporal/run-record';
import { findOtherTaskQueues, isOpen, listRuns, readRetentionMs, type RunInfo } from '../../temporal/visibility';
import type { CommandContext } from '../cli/context';
import { describeNotCounted } from '../shared/endings';
import { createStatusReader, findFailureType } from '../shared/status';
import type { ListOptions } from './options';

const READ_CONCURRENCY = 20;
const MAX_UNREADABLE_LENGTH = 200;
/** Bounds the Queries at a time: for each, a worker may have to replay a run. */
const QUERY_CONCURRENCY = 10;

/** A run as Temporal's list and the memo describe it. Optional fields are read from its history. */
type ListedRun = ReturnType<typeof toListedRun> & {
  /** Present with `--undelivered`; null when it cannot be read. */
  status?: Status | null;
  /** Present with `--undelivered`: why the status cannot be read, in a clause. */
  statusProblem?: string | null;
  /** Present with `--unconfirmed`. */
  unconfirmed?: UnconfirmedAttempt[];
  /** Present with `--details` and with `--failure`. */
  failure?: { type: string; message: string } | null;
  /** Present with `--details`, like the receipt. */
  request?: z.output<typeof requestSchema> | null;
  receipt?: Receipt | null;
  /** Present when the history of the run cannot be read: the reason. */
  unreadable?: string;
};

const boundedText = z.string().max(1000).nullable().catch(null);

/** A request for a person to read. Anyone in the namespace can start a run with any input. */
const requestSchema = z.object({
  orgId: boundedText,
  sourceOrgId: boundedText,
  accessListIps: z.array(z.string().max(1000)).max(1000).nullable().catch(null),
  sink: boundedText,
  requestedBy: boundedText,
  changeReference: boundedText,
});

/** Prints runs in the order of Temporal's list: open runs, then closed ones by their end, newest first. */
export async function list(context: CommandContext, options: ListOptions): Promise<void> {
  await printListed(context, options);
  context.output.note(await describeOtherTaskQueues(context, options));
}

async function printListed(context: CommandContext, options: ListOptions): Promise<void> {
  const { client, taskQueue } = context;
  const infos = listRuns(client, taskQueue, ...buildConditions(options));
  const readStatus = createStatusReader(client, QUERY_CONCURRENCY);
  const findRecoverableToken = createRecoverableTokenFinder(client);
  const read = async (info: RunInfo): Promise<Listed> => {
    const run = toListedRun(info);
    const match = await readMatch({ client, findRecoverableToken }, info, run, options).catch(toUnreadable);
    if (match === null) return { run, isMatch: false };
    const listed: ListedRun = { ...run, ...match };
    if (options.undelivered && !options.requests) {
      const { status, problem } = await readStatus(run);
      listed.status = status;
      listed.statusProblem = problem?.description ?? null;
    }
    return { run: listed, isMatch: true };
  };
  const concurrency = options.undelivered ? QUERY_CONCURRENCY : READ_CONCURRENCY;
  const runs = pMapIterable(infos, read, { concurrency });
  return options.requests ? printRequests(context, runs) : printRuns(context, runs, options);
}

const MAX_NAMES_LENGTH = 1000;

/** Describes the runs that a typo in the name of a task queue hides; null when there are none or they are unknown. */
async function describeOtherTaskQueues({ client, taskQueue }: CommandContext, options: ListOptions) {
  const conditions = buildConditions(options);
  const others = await findOtherTaskQueues(client, taskQueue, ...conditions).catch(() => null);
  if (!others || others.runs === 0) return null;
  const runs = formatCount(others.runs, 'run');
  const names = truncate(others.names.join(', '), MAX_NAMES_LENGTH);
  return `not shown: ${runs} on other task queues (${names}): to see them, name one with --task-queue`;
}

/** A run, and whether it matches every filter. */
type Listed = { run: ListedRun; isMatch: boolean };

function buildConditions({ undelivered, recoverable, failure, org, since }: ListOptions): string[] {
  return [
    undelivered && 'CloseTime IS NULL',
    recoverable && "ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut')",
    failure && "ExecutionStatus = 'Failed'",
    org && `WorkflowId STARTS_WITH '${workflowIdFor(org)}'`,
    since && `(CloseTime IS NULL OR CloseTime >= '${since.toISOString()}')`,
  ].filter((condition) => typeof condition === 'string');
}

/**
 * Reads what the options need of a run's history.
 *
 * @returns null when the run does not match every filter.
 */
async function readMatch(
  { client, findRecoverableToken }: { client: Client; findRecoverableToken: RecoverableTokenFinder },
  info: RunInfo,
  run: ListedRun,
  { undelivered, unconfirmed, recoverable, failure: wanted, details, requests }: ListOptions,
): Promise<Partial<ListedRun> | null> {
  if (undelivered && run.state !== 'undelivered') return null;
  if (unconfirmed && run.unconfirmedTokens === 0) return null;
  const failure = wanted || (details && run.state === 'failed') ? await readFailure(client, run) : undefined;
  if (wanted && failure?.type !== wanted) return null;
  if (requests) return {};
  // The memo of a closed run does not know whether a later run delivered its token.
  const deliveryId =
    recoverable || (run.closedAt && run.deliveryId) ? await findRecoverableToken(info) : run.deliveryId;
  if (recoverable && deliveryId === null) return null;
  return {
    deliveryId,
    ...(failure !== undefined && { failure }),
    ...(unconfirmed && { unconfirmed: (await readRun(client, run)).unconfirmedAttempts }),
    ...(details && { request: requestSchema.nullable().parse(await readRequest(client, run)) }),
    ...(details && run.state === 'delivered' && { receipt: await readReceipt(client, run) }),
  };
}

/** Lets one run that cannot be read be one line. A call that fails is not the run's fault, and ends the command. */
function toUnreadable(error: unknown): Partial<ListedRun> {
  if (findGrpcError(error)) throw error;
  return { unreadable: truncate((error as Error).message, MAX_UNREADABLE_LENGTH) };
}

function toListedRun(info: RunInfo) {
  const { workflowId, runId, startTime, closeTime, status, memo } = info;
  const { step, sink, deliveryId, unconfirmedTokens } = memo;
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
    // The token of an undelivered run, or the recoverable token of a closed one.
    deliveryId,
  };
}

async function printRuns(
  { client, output }: CommandContext,
  runs: AsyncIterable<Listed>,
  { unconfirmed: isUnconfirmed, undelivered, details }: ListOptions,
): Promise<void> {
  // Unknown without the permission to describe the namespace, which a list of runs does not need.
  const retentionMs = await withReadTimeout(client, () => readRetentionMs(client)).catch(() => 0);
  let count = 0;
  let open = 0;
  let terminated = 0;
  for await (const { run, isMatch } of runs) {
    const { startedAt, state, workflowId, unconfirmed = [] } = run;
    if (!isMatch) {
      if (undelivered && state !== 'undelivered') open += 1;
      if (state === 'terminated' && run.unconfirmedTokens === 0) terminated += 1;
      continue;
    }
    if (count === 0) output.say(formatRow('STARTED', 'STATE', 'RUN', ''));
    count += 1;
    const recoverableUntil = findRecoverableUntil(run, retentionMs);
    output.print({ ...run, recoverableUntil }, [
      formatRow(startedAt, state, workflowId, describeListed(run, recoverableUntil, details)),
      ...unconfirmed.map((attempt) => `  ${attempt.startedAt} to ${attempt.endedAt}: ${attempt.reason}`),
    ]);
  }
  output.say(formatCount(count, 'run'));
  const retention = retentionMs > 0 ? `; Temporal keeps closed runs for ${formatHours(retentionMs)}` : '';
  output.note(
    `the list may lag by a moment${retention}`,
    describeNotCounted(open),
    isUnconfirmed ? describeTerminated(terminated) : null,
  );
}

function formatRow(startedAt: string, state: string, workflowId: string, details: string): string {
  return `${startedAt.padEnd(26)}${state.padEnd(13)}${workflowId.padEnd(69)}  ${details}`.trimEnd();
}

/** Estimates when Temporal deletes a run with a recoverable token: its retention may have been another at its end. */
function findRecoverableUntil({ closedAt, deliveryId }: ListedRun, retentionMs: number): string | null {
  if (closedAt === null || deliveryId === null || retentionMs === 0) return null;
  return new Date(Date.parse(closedAt) + retentionMs).toISOString();
}

function describeListed(run: ListedRun, recoverableUntil: string | null, details?: true): string {
  const { workflowId, runId, sink, status, statusProblem, deliveryId, closedAt } = run;
  const { unconfirmedTokens, unreadable, failure, request, receipt } = run;
  const until = recoverableUntil ? ` until about ${recoverableUntil}` : '';
  const recover = commandLine('recover', workflowId, '--run-id', runId);
  return [
    sink !== null && `for sink ${sink}`,
    statusProblem,
    status && (details ? status.description : (findFailureType(status.description) ?? status.step)),
    status?.nextAttemptAt && `next attempt at ${status.nextAttemptAt}`,
    closedAt && deliveryId && `token recoverable${until}: ${recover}`,
    unconfirmedTokens > 0 && formatCount(unconfirmedTokens, 'unconfirmed token'),
    failure && `${failure.type}: ${failure.message}`,
    request && `request ${JSON.stringify(request)}`,
    receipt && `receipt ${JSON.stringify(receipt)}`,
    unreadable && `cannot be read: ${unreadable}`,
  ]
    .filter(Boolean)
    .join('; ');
}

/**
 * Prints the request of the newest of these runs for each workflow id. It prints all at the end, so that a list that
 * fails half-way prints nothing that a pipe would start.
 */
async function printRequests({ client, output }: CommandContext, runs: AsyncIterable<Listed>): Promise<void> {
  const newest = new Map<string, ListedRun>();
  for await (const { run, isMatch } of runs) {
    if (isMatch && !newest.has(run.workflowId)) newest.set(run.workflowId, run);
  }
  const read = (run: ListedRun) => readStartable(client, run);
  const found = await pMap(newest.values(), read, { concurrency: READ_CONCURRENCY });
  const requests = found.filter((request) => request !== null);
  for (const request of requests) output.print(request, JSON.stringify(request));
  const left = newest.size - requests.length;
  if (left > 0) output.note(`left out ${formatCount(left, 'run')}: the request is not valid, or the history is gone`);
}

/** Reads the request of a run, if a start of this pair can repeat it. */
async function readStartable(client: Client, run: ListedRun): Promise<PrepareRequest | null> {
  const { again: _, ...request } = ((await readRequest(client, run)) ?? {}) as PrepareRequest;
  if (validateFields(request).problems.length > 0) return null;
  return workflowIdFor(request.orgId, request.sourceOrgId) === run.workflowId ? request : null;
}

function describeTerminated(count: number): string | null {
  if (count === 0) return null;
  return (
    `not shown: ${formatCount(count, 'terminated run')}.` +
    ' A request in progress at the termination may have created a token that no run counts:' +
    ' live-migration-prep api-keys finds its API key'
  );
}
