import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { MAX_MESSAGE_LENGTH } from '../contract/limits';
import { receiptSchema, type Receipt } from '../contract/schemas';
import { fitsAsJson, toObject } from '../shared/object';
import { decodePayloads } from '../shared/payload-converter';
import { cutAndEscape } from '../shared/text';
import { nullIfNotFound, withReadTimeout } from './grpc';
import { RunHistoryBuilder, type HistoryEvent, type RunHistory } from './run-history';

/** HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT of Temporal's API. */
const CLOSE_EVENT_ONLY = { historyEventFilterType: 2 };

export type RunRef = Pick<WorkflowExecutionInfo, 'workflowId' | 'runId'> & {
  /** Bytes, as lists and descriptions have them. */
  historySize?: number | undefined;
};

/** @returns null when the run did not fail, or its history is gone. */
export async function readFailure(client: Client, run: RunRef) {
  const failure = (await readFirstEvent(client, run, CLOSE_EVENT_ONLY))
    ?.workflowExecutionFailedEventAttributes?.failure;
  if (!failure) return null;
  const { applicationFailureInfo, message } = failure;
  return {
    type: applicationFailureInfo?.type ?? 'unknown',
    message: cutAndEscape(message ?? '', MAX_MESSAGE_LENGTH),
  };
}

/** @returns null when the result is not a receipt, or the history is gone. */
export async function readReceipt(client: Client, run: RunRef): Promise<Receipt | null> {
  const completion = (await readFirstEvent(client, run, CLOSE_EVENT_ONLY))
    ?.workflowExecutionCompletedEventAttributes;
  const receipt = receiptSchema.safeParse(decodePayloads(completion?.result)[0]).data;
  // Anyone in the namespace can complete a run, with a receipt that no workflow task could pass on.
  return receipt && fitsAsJson(receipt) ? receipt : null;
}

/**
 * @returns the request as its caller sent it, or an empty object; null when the history is gone.
 */
export async function readRequest(client: Client, run: RunRef): Promise<object | null> {
  const startEvent = await readFirstEvent(client, run, { maximumPageSize: 1 });
  if (!startEvent) return null;
  return toObject(decodePayloads(startEvent.workflowExecutionStartedEventAttributes?.input)[0]);
}

type PageOptions =
  { historyEventFilterType: number } | { maximumPageSize?: number; nextPageToken?: Uint8Array };

async function readFirstEvent(client: Client, run: RunRef, options: PageOptions) {
  return (await readHistoryPage(client, run, options))?.history?.events?.[0];
}

/**
 * @returns null when the history is gone: the list names a run for moments after its history was
 *   deleted.
 */
function readHistoryPage(client: Client, { workflowId, runId }: RunRef, options: PageOptions) {
  const { namespace } = client.options;
  const execution = { workflowId, runId };
  const requestPage = () =>
    client.workflowService.getWorkflowExecutionHistory({ namespace, execution, ...options });
  return withReadTimeout(client, requestPage).catch(nullIfNotFound);
}

/** Reads the history of one run; one that is gone counts as empty. */
export async function readRun(client: Client, run: RunRef): Promise<RunHistory> {
  const history = new RunHistoryBuilder();
  for await (const event of listEvents(client, run)) history.add(event);
  return history.toHistory();
}

/** Exceeds the histories of the job's runs. Anyone in the namespace can make one of 50 MB. */
const LARGE_HISTORY_BYTES = 8 * 1024 * 1024;
/** An event has up to 2 MB. */
const EVENTS_OF_LARGE_PAGE = 2;

/**
 * Yields the events of a run, page by page, so that a large history is never in memory as a whole.
 */
async function* listEvents(client: Client, run: RunRef): AsyncGenerator<HistoryEvent> {
  const isLarge = (run.historySize ?? 0) > LARGE_HISTORY_BYTES;
  // 0 means as many as the server returns at once.
  const maximumPageSize = isLarge ? EVENTS_OF_LARGE_PAGE : 0;
  let nextPageToken: Uint8Array = Buffer.alloc(0);
  do {
    const page = await readHistoryPage(client, run, { maximumPageSize, nextPageToken });
    yield* page?.history?.events ?? [];
    nextPageToken = page?.nextPageToken ?? Buffer.alloc(0);
  } while (nextPageToken.length > 0);
}
