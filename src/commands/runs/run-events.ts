import type { Client, WorkflowExecutionInfo, WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { PrepareRequest } from '../../contract/schemas';
import { nullIfNotFound } from '../../temporal/grpc';

/** HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT of Temporal's API. */
const LAST = { historyEventFilterType: 2 };

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
export type HistoryEvent = NonNullable<History['events']>[number];
type Payloads = { payloads?: unknown[] | null } | null | undefined;

export type RunRef = Pick<WorkflowExecutionInfo, 'workflowId' | 'runId'>;

/** The whole history of a run; empty when it is gone. */
export async function readEvents(client: Client, { workflowId, runId }: RunRef): Promise<HistoryEvent[]> {
  const handle = client.workflow.getHandle(workflowId, runId);
  const history = await handle.fetchHistory().catch(nullIfNotFound);
  return history?.events ?? [];
}

/** How a failed run ended. @returns null when it did not fail, or its history is gone. */
export async function readEnding(
  client: Client,
  run: RunRef,
): Promise<{ type: string; message: string } | null> {
  const failure = (await eventOf(client, run, LAST))?.workflowExecutionFailedEventAttributes?.failure;
  return failure
    ? { type: failure.applicationFailureInfo?.type ?? 'unknown', message: failure.message ?? '' }
    : null;
}

/** What a run returned. @returns undefined when it returned nothing readable, or its history is gone. */
export async function readResult(client: Client, run: RunRef): Promise<unknown> {
  const closed = (await eventOf(client, run, LAST))?.workflowExecutionCompletedEventAttributes;
  return valuesIn(closed?.result)[0];
}

/** What a run was started with. @returns null when its history is gone. */
export async function readRequest(client: Client, run: RunRef): Promise<Partial<PrepareRequest> | null> {
  const started = await eventOf(client, run, { maximumPageSize: 1 });
  if (!started) return null;
  const [request] = valuesIn(started.workflowExecutionStartedEventAttributes?.input);
  return typeof request === 'object' && request !== null ? request : {};
}

/** One event, without the rest of the history. */
async function eventOf(
  { connection, options: { namespace } }: Client,
  { workflowId, runId }: RunRef,
  which: { historyEventFilterType: number } | { maximumPageSize: number },
): Promise<HistoryEvent | undefined> {
  const execution = { workflowId, runId };
  // The list names a run for moments after its history was deleted.
  const response = await connection.workflowService
    .getWorkflowExecutionHistory({ namespace, execution, ...which })
    .catch(nullIfNotFound);
  return response?.history?.events?.[0];
}

/** Values that JSON cannot hold, or that another data converter wrote, are undefined. */
export function valuesIn(payloads: Payloads): unknown[] {
  return (payloads?.payloads ?? []).map((payload) => {
    try {
      return defaultPayloadConverter.fromPayload(
        payload as Parameters<typeof defaultPayloadConverter.fromPayload>[0],
      );
    } catch {
      return undefined;
    }
  });
}
