import type { WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { recoverySchema, sealedTokenSchema, type SealedToken } from '../contract/schemas';

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
type HistoryEvent = NonNullable<History['events']>[number];
type Payloads = { payloads?: unknown[] | null } | null | undefined;

/** What the history of one run of `prepareLiveMigration` says of its token. */
export interface RunHistory {
  /** The first argument, as the caller sent it: anything at all. */
  request: unknown;
  /** The token that the run created, or was given to recover. */
  token: SealedToken | null;
  /** The sink that confirmed the token. */
  deliveredTo: string | null;
  /** Sinks that may have the token. */
  sinksTried: string[];
}

/** Reads one run. Of a run that was terminated, its history is all that is left. */
export async function readRun(handle: WorkflowHandle): Promise<RunHistory> {
  const { events } = await handle.fetchHistory();
  return historyOf(events ?? []);
}

/** What a run was asked for: its first argument, as the caller sent it. */
export async function requestOfRun(handle: WorkflowHandle): Promise<unknown> {
  return (await readRun(handle)).request;
}

function historyOf(events: readonly HistoryEvent[]): RunHistory {
  const [request, recoveryArgument] = valuesIn(events[0]?.workflowExecutionStartedEventAttributes?.input);
  const recovery = recoverySchema.safeParse(recoveryArgument).data;
  const activities = activitiesIn(events);
  const created = activities.find(({ type, result }) => type === 'createLinkToken' && result !== undefined);
  const deliveries = activities.filter(({ type }) => type === 'deliverLinkToken');
  const delivered = deliveries.find(({ result }) => result !== undefined);
  return {
    request,
    token: recovery?.sealedToken ?? sealedTokenSchema.safeParse(created?.result).data ?? null,
    deliveredTo: delivered ? String(delivered.input[1]) : null,
    sinksTried:
      sinksTriedOf(events.at(-1)) ??
      distinct([...(recovery?.sinksTried ?? []), ...deliveries.map(({ input }) => String(input[1]))]),
  };
}

/** In the order in which they were scheduled. `result` is undefined until one has completed. */
function activitiesIn(events: readonly HistoryEvent[]) {
  const activities = new Map<string, { type: string; input: unknown[]; result?: unknown }>();
  for (const event of events) {
    const {
      activityTaskScheduledEventAttributes: scheduled,
      activityTaskCompletedEventAttributes: completed,
    } = event;
    if (scheduled) {
      const type = scheduled.activityType?.name ?? '';
      activities.set(String(event.eventId), { type, input: valuesIn(scheduled.input) });
    }
    const activity = completed && activities.get(String(completed.scheduledEventId));
    if (activity) [activity.result] = valuesIn(completed.result);
  }
  return [...activities.values()];
}

/** A cancelled run says itself which sinks may have the token. */
function sinksTriedOf(close: HistoryEvent | undefined): string[] | null {
  const failure = close?.workflowExecutionFailedEventAttributes?.failure?.applicationFailureInfo;
  if (failure?.type !== 'Cancelled') return null;
  const [details] = valuesIn(failure.details);
  const sinks = (details as { sinksTried?: unknown } | null | undefined)?.sinksTried;
  return Array.isArray(sinks) ? sinks.map(String) : null;
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

/** Values that JSON cannot hold, or that another data converter wrote, are undefined. */
function valuesIn(payloads: Payloads): unknown[] {
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
