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
