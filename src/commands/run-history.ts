import { isGrpcServiceError, type Client, type WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { recoverySchema, sealedTokenSchema, type SealedToken } from '../contract/schemas';

/** Of gRPC's status codes. */
const NOT_FOUND = new Set([5]);

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

/** Reads one run. The list names it for moments after its history was deleted: then nothing is known of it. */
export async function readRun(
  client: Client,
  { workflowId, runId }: { workflowId: string; runId: string },
): Promise<RunHistory> {
  const { events } = await client.workflow
    .getHandle(workflowId, runId)
    .fetchHistory()
    .catch((error: unknown) => {
      // The SDK wraps this error in its other calls, and not in fetchHistory.
      if (isGrpcServiceError(error) && NOT_FOUND.has(error.code)) return { events: [] };
      throw error;
    });
  return historyOf(events ?? []);
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
    sinksTried: sinksTriedOf(events.at(-1)) ?? [
      ...new Set([...(recovery?.sinksTried ?? []), ...deliveries.map(({ input }) => String(input[1]))]),
    ],
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
