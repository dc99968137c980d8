import type { Client, WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { PrepareRequest, RedeliverRequest, SealedToken } from '../contract/names';

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
type HistoryEvent = NonNullable<History['events']>[number];
type Payloads = { payloads?: unknown[] | null } | null | undefined;

/** A token that a run created and no run of that workflow id has delivered since. */
export interface UndeliveredToken {
  sealedToken: SealedToken;
  /** The sink it was meant for. */
  sink: string;
  runId: string;
}

/** The one argument of either workflow; anything at all where a caller of another kind sent it. */
export type Input = Partial<PrepareRequest & RedeliverRequest>;

/** What a run was asked. */
export async function inputOf(handle: WorkflowHandle): Promise<Input> {
  return inputIn(eventsOf(await handle.fetchHistory()));
}

/**
 * Looks from the newest run of a workflow id back to the last one that delivered. Only what the namespace still
 * retains can be found.
 */
export async function findUndeliveredToken(
  client: Client,
  workflowId: string,
): Promise<UndeliveredToken | null> {
  for (const { runId, status } of await runsOf(client, workflowId)) {
    if (status === 'COMPLETED') return null;
    const events = eventsOf(await client.workflow.getHandle(workflowId, runId).fetchHistory());
    const input = inputIn(events);
    const sealedToken = input.sealedToken ?? createdTokenIn(events);
    if (sealedToken && input.sink) return { sealedToken, sink: input.sink, runId };
  }
  return null;
}

/** Runs of one workflow id, newest first. */
async function runsOf(client: Client, workflowId: string) {
  const runs = [];
  const query = `WorkflowId = ${JSON.stringify(workflowId)}`;
  for await (const { runId, status, startTime } of client.workflow.list({ query })) {
    runs.push({ runId, status: status.name, startTime });
  }
  // The list lags behind by moments, and the newest run is the one that matters most.
  const newest = await client.workflow.getHandle(workflowId).describe();
  if (!runs.some(({ runId }) => runId === newest.runId)) {
    runs.push({ runId: newest.runId, status: newest.status.name, startTime: newest.startTime });
  }
  return runs.sort((a, b) => b.startTime.getTime() - a.startTime.getTime());
}

function eventsOf({ events }: History): HistoryEvent[] {
  return events ?? [];
}

function inputIn(events: HistoryEvent[]): Input {
  return firstValue(events[0]?.workflowExecutionStartedEventAttributes?.input) ?? {};
}

function createdTokenIn(events: HistoryEvent[]): SealedToken | null {
  const scheduled = events.find(
    ({ activityTaskScheduledEventAttributes: attributes }) =>
      attributes?.activityType?.name === 'createLinkToken',
  );
  const completed = events.find(
    ({ activityTaskCompletedEventAttributes: attributes }) =>
      attributes && String(attributes.scheduledEventId) === String(scheduled?.eventId),
  );
  return completed
    ? (firstValue(completed.activityTaskCompletedEventAttributes?.result) as SealedToken)
    : null;
}

function firstValue(payloads: Payloads): unknown {
  const [payload] = payloads?.payloads ?? [];
  if (!payload) return null;
  return defaultPayloadConverter.fromPayload(payload);
}
