import type { Client } from '@temporalio/client';
import { optionalTsToMs } from '@temporalio/common/lib/time';
import { recoverySchema, sealedTokenSchema } from '../../contract/schemas';
import { readEvents, valuesIn, type HistoryEvent, type RunRef } from './run-events';

export type RunHistory = ReturnType<typeof historyOf>;

export interface UnconfirmedAttempt {
  startedAt: string;
  endedAt: string;
  reason: string;
}

/** Reads one run. Nothing is known of it when its history is gone. */
export async function readRun(client: Client, run: RunRef): Promise<RunHistory> {
  return historyOf(await readEvents(client, run));
}

/** What the history of one run of `prepareLiveMigration` says of its token. */
function historyOf(events: readonly HistoryEvent[]) {
  const [request, recoveryArgument] = valuesIn(events[0]?.workflowExecutionStartedEventAttributes?.input);
  const recovery = recoverySchema.safeParse(recoveryArgument).data;
  const { activities, unconfirmedAttempts } = activitiesIn(events);
  const created = activities.find(({ type, result }) => type === 'createLinkToken' && result !== undefined);
  const deliveries = activities.filter(({ type }) => type === 'deliverLinkToken');
  const delivered = deliveries.find(({ result }) => result !== undefined);
  return {
    /** The first argument, as the caller sent it: anything at all. */
    request,
    /** The token that the run created, or was given to recover. */
    token: recovery?.sealedToken ?? sealedTokenSchema.safeParse(created?.result).data ?? null,
    /** The sink that confirmed the token. */
    deliveredTo: delivered ? String(delivered.input[1]) : null,
    /** The attempts to create a token that may have created another one: as many as the run counts. */
    unconfirmedAttempts,
    /** Sinks that may have the token. */
    sinksTried: sinksTriedOf(events.at(-1)) ?? [
      ...new Set([...(recovery?.sinksTried ?? []), ...deliveries.map(({ input }) => String(input[1]))]),
    ],
  };
}

/** Activities in the order in which they were scheduled; `result` is undefined until one has completed. */
function activitiesIn(events: readonly HistoryEvent[]) {
  const activities = new Map<
    string,
    { type: string; input: unknown[]; startedAt: string; result?: unknown }
  >();
  const unconfirmedAttempts: UnconfirmedAttempt[] = [];
  let lastFailed: UnconfirmedAttempt | undefined;
  for (const event of events) {
    const {
      activityTaskScheduledEventAttributes: scheduled,
      activityTaskStartedEventAttributes: started,
      activityTaskCompletedEventAttributes: completed,
      workflowPropertiesModifiedEventAttributes: modified,
    } = event;
    const failed = event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes;
    const at = new Date(optionalTsToMs(event.eventTime) ?? 0).toISOString();
    if (scheduled) {
      const type = scheduled.activityType?.name ?? '';
      activities.set(String(event.eventId), { type, input: valuesIn(scheduled.input), startedAt: at });
    }
    const activity = activities.get(String((started ?? completed ?? failed)?.scheduledEventId));
    if (activity && started) activity.startedAt = at;
    if (activity && completed) [activity.result] = valuesIn(completed.result);
    if (activity?.type === 'createLinkToken' && failed) {
      const reason = failed.failure?.message ?? 'no result';
      lastFailed = { startedAt: activity.startedAt, endedAt: at, reason };
    }
    // The workflow counts an attempt in its memo before it does anything else, so it is the last one that failed.
    if (lastFailed && modified?.upsertedMemo?.fields?.['unconfirmedTokens'])
      unconfirmedAttempts.push(lastFailed);
  }
  return { activities: [...activities.values()], unconfirmedAttempts };
}

/** A cancelled run says itself which sinks may have the token. */
function sinksTriedOf(close: HistoryEvent | undefined): string[] | null {
  const failure = close?.workflowExecutionFailedEventAttributes?.failure?.applicationFailureInfo;
  if (failure?.type !== 'Cancelled') return null;
  const [details] = valuesIn(failure.details);
  const sinks = (details as { sinksTried?: unknown } | null | undefined)?.sinksTried;
  return Array.isArray(sinks) ? sinks.map(String) : null;
}
