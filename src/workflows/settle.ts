import { isCancellation } from '@temporalio/workflow';
import { readAttemptFailure, type AttemptFailure } from '../shared/attempt-failure';
import { toObject } from '../shared/object';

/**
 * Waits for an activity. Results come from our own workers and are trusted: anyone who can complete
 * an activity by hand can also terminate its run.
 *
 * @param field of the result that must be a string. An operator can complete an activity by hand,
 *   with any result (`temporal activity complete`): without the field, it says as little of what
 *   was done as an attempt that was lost.
 * @returns `wasCancelled` is true if the activity ended as cancelled. One that a cancel meets may
 *   also fail.
 */
export async function settle<Result>(
  activity: Promise<Result>,
  field: keyof Result & string,
): Promise<{ result: Result } | { failure: AttemptFailure; wasCancelled: boolean }> {
  try {
    const result = await activity;
    if (typeof toObject(result)[field] === 'string') return { result };
    throw new Error(`the activity was completed without ${field}, by somebody else than a worker`);
  } catch (error) {
    return { failure: readAttemptFailure(error), wasCancelled: isCancellation(error) };
  }
}
