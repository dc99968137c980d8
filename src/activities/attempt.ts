import type { Info } from '@temporalio/activity';

/**
 * Tells whether no attempt of the activity came before this one. `temporal activity reset` resets
 * the attempt number, but not the times.
 */
export function isFirstAttempt(info: Info): boolean {
  return (
    info.attempt === 1 && info.scheduledTimestampMs === info.currentAttemptScheduledTimestampMs
  );
}

/**
 * Computes until when an attempt may begin, counted from the time at which the activity was
 * scheduled: schedule-to-close has room for one attempt after that.
 */
export function computeRetryTimeMs({
  scheduleToCloseTimeoutMs,
  startToCloseTimeoutMs,
}: Pick<Info, 'scheduleToCloseTimeoutMs' | 'startToCloseTimeoutMs'>): number {
  return scheduleToCloseTimeoutMs - startToCloseTimeoutMs;
}
