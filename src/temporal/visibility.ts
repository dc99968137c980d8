import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { WORKFLOW_TYPES } from '../contract/names';
import { readMemo, type RunMemo } from '../contract/schemas';
import { payloadConverter } from '../shared/payload-converter';
import { GRPC, findGrpcCode, isResponseTooLarge, nullIfNotFound, toMs, withReadTimeout } from './grpc';

const NOT_SUPPORTED = 'use a server and a visibility store that list runs by workflow id, type and status';
const REFUSALS: ReadonlyMap<number | null, string> = new Map([
  [
    GRPC.permissionDenied,
    'grant the permission to list and read workflow runs (ListWorkflowExecutions, in the role "read" of the namespace)',
  ],
  [GRPC.unimplemented, NOT_SUPPORTED],
  [GRPC.invalidArgument, NOT_SUPPORTED],
]);

/** Finds the remedy for a list that Temporal refuses, which no retry fixes; null for any other error. */
export function findListRefusal(error: unknown): string | null {
  return REFUSALS.get(findGrpcCode(error)) ?? null;
}

export function isOpen({ status: { name } }: Pick<RunInfo, 'status'>): boolean {
  return name === 'RUNNING' || name === 'PAUSED';
}

type ListResponse = Awaited<ReturnType<Client['workflowService']['listWorkflowExecutions']>>;

/** The part that is used of a run as Temporal lists or describes it. */
export type RunInfo = Pick<
  WorkflowExecutionInfo,
  'workflowId' | 'runId' | 'type' | 'historySize' | 'startTime' | 'closeTime'
> & { status: Pick<WorkflowExecutionInfo['status'], 'name'>; memo: RunMemo };

/** Describes a run, the newest of its workflow id by default; null without one. Temporal's list lags by moments. */
export async function describeRun(client: Client, workflowId: string, runId?: string) {
  const run = await client.workflow.getHandle(workflowId, runId).describe().catch(nullIfNotFound);
  return run && { ...run, memo: readMemo(run.memo) };
}

/** Lists the runs of `prepareLiveMigration` on a task queue: other workers may share the namespace. */
export function listRuns(client: Client, taskQueue: string, ...conditions: string[]) {
  const fields = { WorkflowType: WORKFLOW_TYPES.prepare, TaskQueue: taskQueue };
  return listExecutions(client, visibilityQuery(fields, ...conditions));
}

/** Reads for how long Temporal keeps closed runs. */
export async function readRetentionMs(client: Client): Promise<number> {
  const { namespace } = client.options;
  const { config } = await client.workflowService.describeNamespace({ namespace });
  return toMs(config?.workflowExecutionRetentionTtl);
}

/** The most that a server returns at once. The limit of ten lists a second belongs to the whole namespace. */
const PAGE_SIZE = 1000;
/** A page whose memos have 2 MB each, the most that a server takes, fits into a message of 128 MiB. */
const SMALL_PAGE_SIZE = 50;

/** Lists runs in Temporal's order. From a page on that is too large for a message, it reads small pages. */
export async function* listExecutions(client: Client, query: string): AsyncGenerator<RunInfo> {
  let pageSize = PAGE_SIZE;
  let nextPageToken: Uint8Array | null = Buffer.alloc(0);
  while (nextPageToken) {
    const page: Awaited<ReturnType<typeof readListPage>> = await readListPage(client, query, pageSize, nextPageToken);
    yield* page?.runs ?? [];
    if (page) nextPageToken = page.nextPageToken;
    else pageSize = SMALL_PAGE_SIZE;
  }
}

const THROTTLED_PAUSE_MS = 1000;
/** Longest time for which a reached limit delays a page, beside the retries of the connection. */
const MAX_THROTTLED_MS = 60_000;

/** @returns null when a large page does not fit into a message. */
async function readListPage(client: Client, query: string, pageSize: number, nextPageToken: Uint8Array) {
  const { namespace } = client.options;
  const request = { namespace, query, pageSize, nextPageToken };
  const list = () => client.workflowService.listWorkflowExecutions(request);
  const read = () => retryThrottled(async () => copyPage(await withReadTimeout(client, list)));
  if (pageSize !== PAGE_SIZE) return readInTurn(read);
  return read().catch((error: unknown) => {
    if (isResponseTooLarge(error)) return null;
    throw error;
  });
}

/** Calls again while Temporal limits the rate of calls. */
async function retryThrottled<T>(call: () => Promise<T>): Promise<T> {
  for (const startedAtMs = Date.now(); ;) {
    try {
      return await call();
    } catch (error) {
      const isThrottled = findGrpcCode(error) === GRPC.resourceExhausted && !isResponseTooLarge(error);
      if (!isThrottled || Date.now() > startedAtMs + MAX_THROTTLED_MS) throw error;
      await sleep(THROTTLED_PAUSE_MS * (0.5 + Math.random()));
    }
  }
}

/** Copies what is used of a message, which may have 128 MiB. */
function copyPage({ executions, nextPageToken }: ListResponse) {
  return {
    runs: executions.map(toRunInfo),
    nextPageToken: nextPageToken.length > 0 ? Buffer.from(nextPageToken) : null,
  };
}

/** Names by number of the API's WorkflowExecutionStatus. */
const STATUS_NAMES: readonly RunInfo['status']['name'][] = [
  'UNSPECIFIED',
  'RUNNING',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'TERMINATED',
  'CONTINUED_AS_NEW',
  'TIMED_OUT',
  'PAUSED',
];

/** Exceeds every field of ours. */
const MAX_MEMO_FIELD_BYTES = 4096;

function toRunInfo(raw: ListResponse['executions'][number]): RunInfo {
  const memo = Object.entries(raw.memo?.fields ?? {})
    .filter(([, { data }]) => (data?.length ?? 0) <= MAX_MEMO_FIELD_BYTES)
    .map(([name, payload]): [string, unknown] => [name, payloadConverter.fromPayload(payload)]);
  return {
    workflowId: raw.execution?.workflowId ?? '',
    runId: raw.execution?.runId ?? '',
    type: raw.type?.name ?? '',
    status: { name: STATUS_NAMES[raw.status ?? 0] ?? 'UNKNOWN' },
    historySize: Number(raw.historySizeBytes ?? 0),
    startTime: new Date(toMs(raw.startTime)),
    ...(raw.closeTime && { closeTime: new Date(toMs(raw.closeTime)) }),
    memo: readMemo(Object.fromEntries(memo)),
  };
}

const SMALL_PAGE_PAUSE_MS = 200;
let lastSmallPage: Promise<unknown> = Promise.resolve();

/** Reads one small page at a time, at most five a second, in the whole process: a page may have 100 MB. */
function readInTurn<T>(read: () => Promise<T>): Promise<T> {
  const page = lastSmallPage.then(read);
  lastSmallPage = page.catch(() => undefined).then(() => sleep(SMALL_PAGE_PAUSE_MS));
  return page;
}

/**
 * @param fields such as `WorkflowId`, with values that this function quotes.
 * @param conditions such as `CloseTime IS NULL`.
 */
export function visibilityQuery(fields: Readonly<Record<string, string>>, ...conditions: readonly string[]): string {
  const equal = Object.entries(fields).map(([field, value]) => `${field} = ${JSON.stringify(value)}`);
  return [...equal, ...conditions].join(' AND ');
}
