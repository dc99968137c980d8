import type { Info } from '@temporalio/activity';
import type { ApplicationFailure } from '@temporalio/common';
import type { AtlasFailure } from '../atlas/outcomes';
import type { Backoff } from '../shared/activities';
import {
  TOKEN_UNCONFIRMED,
  writeAttemptFailure,
  type AttemptFailure,
} from '../shared/attempt-failure';
import { retryDelayMs } from '../shared/retry-delay';

interface RetryTiming {
  /** The attempt that failed. */
  info: Info;
  /** Number of attempts that failed in a row, from 1. */
  failureCount: number;
  backoff: Backoff;
}

/**
 * Writes the failure of an attempt to create a token. Creating is not idempotent, so Temporal
 * retries only an attempt that created nothing. If a token may exist, the workflow counts it and
 * waits.
 */
export function writeCreationFailure(
  failure: AtlasFailure,
  timing: RetryTiming,
): ApplicationFailure {
  if (failure.tokenMayExist && !failure.permanent) {
    return writeAttemptFailure({ ...failure, type: TOKEN_UNCONFIRMED }, null);
  }
  return writeRetryableFailure(failure, timing);
}

/**
 * Writes the failure of an attempt that Temporal may retry. If the next attempt would start too
 * late, the failure comes back at once: a run gives up, and a round of deliveries ends.
 */
export function writeRetryableFailure(
  failure: AttemptFailure<string>,
  timing: RetryTiming,
): ApplicationFailure {
  const nextRetryDelay = retryDelayMs(timing.backoff, timing.failureCount, failure.retryAfterMs);
  const isLast = isTooLate(nextRetryDelay, timing);
  return writeAttemptFailure(failure, isLast ? null : nextRetryDelay);
}

/**
 * Tells whether the next attempt would start when Temporal may cut it off: schedule-to-close has
 * room for one attempt after the last that may begin. All of these times are Temporal's, so the
 * clock of a worker may be wrong.
 */
function isTooLate(nextRetryDelay: number, { info }: RetryTiming): boolean {
  const { scheduleToCloseTimeoutMs, startToCloseTimeoutMs } = info;
  const passedMs = info.currentAttemptScheduledTimestampMs - info.scheduledTimestampMs;
  // 0 means no timeout.
  const limitMs = (scheduleToCloseTimeoutMs || Infinity) - startToCloseTimeoutMs;
  return passedMs + nextRetryDelay >= limitMs;
}
