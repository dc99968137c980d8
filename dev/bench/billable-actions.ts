import type { WorkflowHandle } from '@temporalio/client';

export type Event = NonNullable<
  Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']
>[number];

/** Events that Temporal Cloud bills. */
const BILLED_EVENTS = [
  'workflowExecutionStarted',
  'activityTaskStarted',
  'timerStarted',
  'markerRecorded',
  'workflowPropertiesModified',
];

/** Counts the events of a history that Temporal Cloud bills as Actions. */
export function countBilledEvents(events: Event[]): number {
  return events.filter((event) =>
    BILLED_EVENTS.some((name) => event[`${name}EventAttributes` as keyof Event]),
  ).length;
}
