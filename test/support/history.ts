import { defaultPayloadConverter } from '@temporalio/common';
import type { Handle } from './deployment';

/** Reads the result of the first `createLinkToken` that completed; null when none did. */
export async function createdToken(handle: Pick<Handle, 'fetchHistory'>): Promise<unknown> {
  const events = (await handle.fetchHistory()).events ?? [];
  const scheduled = new Set(
    events
      .filter(
        ({ activityTaskScheduledEventAttributes: attributes }) =>
          attributes?.activityType?.name === 'createLinkToken',
      )
      .map(({ eventId }) => String(eventId)),
  );
  const completed = events
    .map(({ activityTaskCompletedEventAttributes: attributes }) => attributes)
    .find((attributes) => attributes && scheduled.has(String(attributes.scheduledEventId)));
  const [payload] = completed?.result?.payloads ?? [];
  return payload ? defaultPayloadConverter.fromPayload(payload) : null;
}

/** Returns the times at which activities of a type were scheduled, in milliseconds since the epoch. */
export async function scheduleTimes(
  handle: Pick<Handle, 'fetchHistory'>,
  activityType: string,
): Promise<number[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? [])
    .filter((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === activityType)
    .map(({ eventTime }) => Number(eventTime?.seconds) * 1000 + Number(eventTime?.nanos) / 1e6);
}

/** Summaries of the activities that were scheduled, as the Temporal UI shows them. */
export async function activitySummaries(handle: Pick<Handle, 'fetchHistory'>): Promise<string[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? [])
    .map(({ userMetadata }) => userMetadata?.summary)
    .filter((summary) => summary !== undefined && summary !== null)
    .map((summary) => defaultPayloadConverter.fromPayload<string>(summary));
}

/** Reads the fairness key of each activity that was scheduled on a task queue. */
export async function fairnessKeys(handle: Pick<Handle, 'fetchHistory'>): Promise<unknown[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) =>
    scheduled ? [scheduled.priority?.fairnessKey] : [],
  );
}
