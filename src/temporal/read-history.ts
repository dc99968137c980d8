import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { nullIfNotFound, withReadTimeout } from './grpc';
import { RunHistoryBuilder, type HistoryEvent, type RunHistory } from './run-history';

export type RunRef = Pick<WorkflowExecutionInfo, 'workflowId' | 'runId'> & {
  /** Bytes, as lists and descriptions have them. */
  historySize?: number | undefined;
};

/**
 * Reads the history of one run. One that is gone counts as empty: the list names a run for moments
 * after its history was deleted.
 */
export async function readRun(client: Client, run: RunRef): Promise<RunHistory> {
  const history = new RunHistoryBuilder();
  for await (const event of listEvents(client, run)) history.add(event);
  return history.toHistory();
}

/**
 * Tells whether a worker failed the first attempt of the workflow task that a run waits for.
 * Otherwise no worker completed it in time. Temporal records only the first attempt.
 */
export async function hasFailedTask(
  client: Client,
  { workflowId, runId }: RunRef,
): Promise<boolean> {
  const { namespace } = client.options;
  const page = await withReadTimeout(client, () =>
    client.workflowService.getWorkflowExecutionHistoryReverse({
      namespace,
      execution: { workflowId, runId },
      maximumPageSize: LAST_EVENTS,
    }),
  ).catch(nullIfNotFound);
  const attempt = page?.history?.events?.find(
    (event) => event.workflowTaskFailedEventAttributes ?? event.workflowTaskTimedOutEventAttributes,
  );
  return Boolean(attempt?.workflowTaskFailedEventAttributes);
}

/** Signals and Updates may have come since. */
const LAST_EVENTS = 20;

/** Exceeds the histories of the job's runs. Anyone in the namespace can make one of 50 MB. */
const LARGE_HISTORY_BYTES = 8 * 1024 * 1024;
/** An event has up to 2 MB. */
const EVENTS_OF_LARGE_PAGE = 2;

/**
 * Yields the events of a run, page by page, so that a large history is never in memory as a whole.
 */
async function* listEvents(client: Client, run: RunRef): AsyncGenerator<HistoryEvent> {
  const { namespace } = client.options;
  const execution = { workflowId: run.workflowId, runId: run.runId };
  const isLarge = (run.historySize ?? 0) > LARGE_HISTORY_BYTES;
  // 0 means as many as the server returns at once.
  const maximumPageSize = isLarge ? EVENTS_OF_LARGE_PAGE : 0;
  let nextPageToken: Uint8Array = Buffer.alloc(0);
  do {
    const request = { namespace, execution, maximumPageSize, nextPageToken };
    const page = await withReadTimeout(client, () =>
      client.workflowService.getWorkflowExecutionHistory(request),
    ).catch(nullIfNotFound);
    yield* page?.history?.events ?? [];
    nextPageToken = page?.nextPageToken ?? Buffer.alloc(0);
  } while (nextPageToken.length > 0);
}
