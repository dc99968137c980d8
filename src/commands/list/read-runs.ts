import type { Client } from '@temporalio/client';
import { pMapIterable, pMapSkip } from 'p-map';
import { z } from 'zod';
import { forEachClaim } from '../../contract/claims';
import type { FailureType } from '../../contract/failure-types';
import type { PrepareRequest, Receipt } from '../../contract/schemas';
import { cutAndEscape } from '../../shared/text';
import { findGrpcError } from '../../temporal/grpc';
import { isOfOrganization, listRuns, type RunInfo } from '../../temporal/list-runs';
import { readRun } from '../../temporal/read-history';
import type { UnconfirmedAttempt } from '../../temporal/run-history';
import { findRunState, isAbandoned } from '../../temporal/run-state';
import type { CommandContext } from '../cli/context';

const READ_CONCURRENCY = 20;
const MAX_UNREADABLE_LENGTH = 200;

/** A run as Temporal's list and the memo describe it. Optional fields are read from its history. */
export type ListedRun = ReturnType<typeof toListedRun> & {
  /** Present with `--unconfirmed`. */
  unconfirmed?: UnconfirmedAttempt[];
  /** Present with `--details`. */
  request?: z.output<typeof requestSchema> | null;
  /** Present for a delivered run with `--details`. */
  receipt?: Receipt | null;
  /** Present when the history of the run cannot be read: the reason. */
  unreadable?: string;
};

const boundedText = z.string().max(1000).nullable().catch(null);

/**
 * A request for a person to read, and for `start --from` to repeat. Anyone in the namespace can
 * start a run with any input.
 */
const requestSchema = z.object({
  orgId: boundedText,
  sourceOrgId: boundedText,
  accessListIps: z.array(z.string().max(1000)).max(1000).nullable().catch(null),
  sink: boundedText,
  ...forEachClaim(() => boundedText),
  // `true` would permit one more token each time.
  again: z.uuid().optional().catch(undefined),
} satisfies Record<keyof PrepareRequest, z.ZodType>);

/** What a run must match, and what is read of it. */
export interface ListOptions {
  undelivered?: true | undefined;
  unconfirmed?: true | undefined;
  abandoned?: true | undefined;
  failure?: FailureType | undefined;
  org?: string | undefined;
  since?: Date | undefined;
  details?: true | undefined;
}

/**
 * Yields the runs that match every filter, in Temporal's order: of every task queue unless one is
 * given.
 */
export function readListedRuns(
  { client, taskQueue, isTaskQueueGiven }: CommandContext,
  options: ListOptions,
): AsyncIterable<ListedRun> {
  const infos = listRuns(client, isTaskQueueGiven ? taskQueue : null, ...buildConditions(options));
  const read = (info: RunInfo) => readRunOf(client, info, options);
  return pMapIterable(infos, read, { concurrency: READ_CONCURRENCY });
}

/**
 * Builds the conditions of the options that Temporal's list can answer by itself. `readAndFilter`
 * filters by the others.
 */
function buildConditions(options: ListOptions): string[] {
  const { undelivered, abandoned, failure, org, since } = options;
  const conditions = [
    undelivered && 'CloseTime IS NULL',
    abandoned && "ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut')",
    failure && "ExecutionStatus = 'Failed'",
    org && isOfOrganization(org),
    since && `(CloseTime IS NULL OR CloseTime >= '${since.toISOString()}')`,
  ];
  return conditions.filter((condition) => typeof condition === 'string');
}

async function readRunOf(
  client: Client,
  info: RunInfo,
  options: ListOptions,
): Promise<ListedRun | typeof pMapSkip> {
  const run: ListedRun = toListedRun(info);
  try {
    if (!(await readAndFilter(client, info, run, options))) return pMapSkip;
  } catch (error) {
    run.unreadable = describeUnreadable(error);
  }
  return run;
}

function toListedRun(info: RunInfo) {
  const { workflowId, runId, taskQueue, startTime, closeTime, memo } = info;
  const { sink, deliveryId, publicApiKey, unconfirmedTokens, failure, nextAttemptAt } = memo;
  return {
    workflowId,
    runId,
    taskQueue,
    state: findRunState(info),
    startedAt: startTime.toISOString(),
    closedAt: closeTime?.toISOString() ?? null,
    unconfirmedTokens,
    sink,
    deliveryId,
    publicApiKey,
    // Of an open run; that of a closed one is read from its history.
    failure,
    nextAttemptAt,
  };
}

/**
 * Reads the history of a run if the options need it, and adds it to the run.
 *
 * @returns false when the run does not match every filter.
 */
async function readAndFilter(
  client: Client,
  info: RunInfo,
  run: ListedRun,
  options: ListOptions,
): Promise<boolean> {
  const { undelivered, unconfirmed, abandoned, failure, details } = options;
  if (undelivered && run.state !== 'undelivered') return false;
  if (unconfirmed && run.unconfirmedTokens === 0) return false;
  if (abandoned && !isAbandoned(info)) return false;
  const isHistoryNeeded = unconfirmed ?? failure ?? details;
  if (!isHistoryNeeded) return true;
  const history = await readRun(client, info);
  if (failure && history.failure?.type !== failure) return false;
  if (unconfirmed) run.unconfirmed = history.unconfirmedAttempts;
  if (run.state === 'failed') run.failure = history.failure;
  if (details) run.request = requestSchema.parse(history.request);
  if (details && run.state === 'delivered') run.receipt = history.receipt;
  return true;
}

/**
 * Lets one run that cannot be read be one line. A call that fails is not the run's fault, and ends
 * the command.
 */
function describeUnreadable(error: unknown): string {
  if (findGrpcError(error)) throw error;
  return cutAndEscape((error as Error).message, MAX_UNREADABLE_LENGTH);
}
