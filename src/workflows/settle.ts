import { isCancellation } from '@temporalio/workflow';
import {
  NOTHING_KNOWN,
  isOutOfTime,
  readAttemptFailure,
  type AttemptFailure,
} from '../shared/attempt-failure';
import { toObject } from '../shared/object';

export interface Failed {
  failure: AttemptFailure;
  /**
   * `failed` also if the attempt ended without a result, since it timed out or its worker was lost.
   */
  how: 'failed' | 'cancelled' | 'scheduleToClose';
}

/**
 * Waits for an activity. Results come from our own workers and are trusted: anyone who can complete
 * an activity by hand can also terminate its run.
 *
 * @param field of the result that must be a string. An operator can complete an activity by hand,
 *   with any result (`temporal activity complete`), which would lose a token unseen.
 * @param otherwise the failure to report for a result that lacks the field.
 */
export async function settle<Result>(
  activity: Promise<Result>,
  field: keyof Result & string,
  otherwise: Pick<AttemptFailure, 'type' | 'message'>,
): Promise<{ result: Result } | Failed> {
  try {
    const result = await activity;
    if (typeof toObject(result)[field] === 'string') return { result };
    const failure = { ...NOTHING_KNOWN, permanent: true, ...otherwise, details: {} };
    return { failure, how: 'failed' };
  } catch (error) {
    return { failure: readAttemptFailure(error), how: howEnded(error) };
  }
}

function howEnded(error: unknown): Failed['how'] {
  if (isCancellation(error)) return 'cancelled';
  return isOutOfTime(error) ? 'scheduleToClose' : 'failed';
}
