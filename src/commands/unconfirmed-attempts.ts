import { optionalTsToMs } from '@temporalio/common/lib/time';
import type { HistoryEvent } from './run-events';

export interface UnconfirmedAttempt {
  startedAt: string;
  endedAt: string;
  reason: string;
}

/** The workflow counts an attempt in its memo before it does anything else, so it is the last one that closed. */
export function unconfirmedAttemptsIn(events: readonly HistoryEvent[]): UnconfirmedAttempt[] {
  const startedAt = new Map<string, string>();
  let last: UnconfirmedAttempt | undefined;
  const attempts: UnconfirmedAttempt[] = [];
  for (const event of events) {
    const {
      activityTaskScheduledEventAttributes: scheduled,
      activityTaskStartedEventAttributes: started,
      activityTaskFailedEventAttributes: failed,
      activityTaskTimedOutEventAttributes: timedOut,
      workflowPropertiesModifiedEventAttributes: modified,
    } = event;
    if (scheduled?.activityType?.name === 'createLinkToken')
      startedAt.set(String(event.eventId), timeOf(event));
    const startedId = String(started?.scheduledEventId);
    if (startedAt.has(startedId)) startedAt.set(startedId, timeOf(event));
    const ended = failed ?? timedOut;
    const start = startedAt.get(String(ended?.scheduledEventId));
    if (ended && start !== undefined) {
      last = { startedAt: start, endedAt: timeOf(event), reason: ended.failure?.message ?? 'no result' };
    }
    if (last && modified?.upsertedMemo?.fields?.['unconfirmedTokens']) attempts.push(last);
  }
  return attempts;
}

function timeOf({ eventTime }: HistoryEvent): string {
  return new Date(optionalTsToMs(eventTime) ?? 0).toISOString();
}
