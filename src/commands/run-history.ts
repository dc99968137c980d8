import type { Client } from '@temporalio/client';
import { recoverySchema, sealedTokenSchema, type SealedToken } from '../contract/schemas';
import { readEvents, valuesIn, type HistoryEvent, type RunId } from './run-events';
import { unconfirmedAttemptsIn, type UnconfirmedAttempt } from './unconfirmed-attempts';

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
  /** The attempts to create a token that may have created another one: as many as the run counts. */
  unconfirmedAttempts: UnconfirmedAttempt[];
}

/** Reads one run. Nothing is known of it when its history is gone. */
export async function readRun(client: Client, run: RunId): Promise<RunHistory> {
  return historyOf(await readEvents(client, run));
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
    unconfirmedAttempts: unconfirmedAttemptsIn(events),
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
