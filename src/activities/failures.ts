import type { Info } from '@temporalio/activity';
import type { ApplicationFailure, ApplicationFailureOptions } from '@temporalio/common';
import type { AtlasFailure } from '../atlas/failures';
import type { AttemptDetails, Backoff } from '../shared/activities';
import {
  TOKEN_UNCONFIRMED,
  applicationFailure,
  terminalFailure,
} from '../shared/application-failure';
import { retryDelayMs } from '../shared/retry-delay';
import type { DeliveryFailure } from '../sinks/failures';
import { findGrpcCode } from '../temporal/grpc';
import { findListRefusal } from '../temporal/list-runs';
import { computeRetryTimeMs } from './attempt';

/** Builds the failure of a call that creates nothing. Temporal retries it by the retry policy. */
export function repeatableCallFailure(
  failure: DeliveryFailure | Omit<AtlasFailure, 'tokenMayExist'>,
): ApplicationFailure {
  const { type, message, retryable, retryAfterMs } = failure;
  const details = 'details' in failure ? [failure.details] : [];
  if (!retryable) return terminalFailure(type, message, ...details);
  return retryableFailure(type, message, details, retryAfterMs);
}

interface RetryTiming {
  /** The attempt that failed. */
  info: Info;
  /** When it began, by Temporal's clock; unless it is known, the time at which it was due. */
  startedAtMs?: number | undefined;
  /** Number of attempts that failed in a row, from 1. */
  failureCount: number;
  backoff: Backoff;
}

/**
 * Builds the failure of an attempt to create a token. Temporal retries it only if the attempt
 * created nothing. If a token may exist, the workflow counts it and waits. If the next attempt
 * would start too late, the failure comes back at once, and the workflow gives up.
 */
export function creationFailure(failure: AtlasFailure, timing: RetryTiming): ApplicationFailure {
  const { type, message, retryable, tokenMayExist, retryAfterMs } = failure;
  const details: AttemptDetails = { ...failure.details, tokenMayExist, runMayRetry: retryable };
  if (!retryable) return terminalFailure(type, message, details);
  if (tokenMayExist) {
    return terminalFailure(TOKEN_UNCONFIRMED, message, { ...details, retryAfterMs });
  }
  const failureCount = failure.consecutiveAtlasFailures ?? timing.failureCount;
  const nextRetryDelay = retryDelayMs(timing.backoff, failureCount, retryAfterMs);
  if (isTooLate(nextRetryDelay, timing)) return terminalFailure(type, message, details);
  return retryableFailure(type, message, [details], nextRetryDelay);
}

/**
 * Builds the failure of an attempt to deliver. A wait past the end of the round ends the round
 * immediately, unless the attempt was stopped.
 */
export function deliveryFailure(
  { type, message, retryable, wasStopped = false, retryAfterMs }: DeliveryFailure,
  timing: RetryTiming,
  sinkTried: boolean,
): ApplicationFailure {
  const details: AttemptDetails = { sinkTried, retryAfterMs };
  const nextRetryDelay = retryDelayMs(timing.backoff, timing.failureCount, retryAfterMs);
  const endsRound = !wasStopped && isTooLate(nextRetryDelay, timing);
  if (!retryable || endsRound) return terminalFailure(type, message, details);
  return retryableFailure(type, message, [details], nextRetryDelay);
}

/**
 * Tells whether the next attempt would start when Temporal may cut it off. All of these times are
 * Temporal's, so the clock of a worker may be wrong.
 */
function isTooLate(
  nextRetryDelay: number,
  { info, startedAtMs = info.currentAttemptScheduledTimestampMs }: RetryTiming,
): boolean {
  const passedMs = startedAtMs - info.scheduledTimestampMs;
  return passedMs + nextRetryDelay >= computeRetryTimeMs(info);
}

/** Builds the failure for runs of a workflow id that Temporal did not list or read. */
export function temporalUnavailable(error: unknown, workflowId: string): ApplicationFailure {
  const code = findGrpcCode(error);
  const refusal = findListRefusal(error);
  const reason = code === null ? (error as Error).name : `gRPC status ${code}`;
  const remedy =
    refusal ??
    "check that Temporal's visibility store works" +
      ' and that the limit frontend.namespaceRPS.visibility suffices';
  return applicationFailure({
    type: 'TemporalUnavailable',
    message:
      `Temporal did not list and read the runs of ${workflowId} (${reason}):` +
      ` ${remedy}, then start again`,
    nonRetryable: refusal !== null,
  });
}

/** @param delayMs the next delay; without it, Temporal's retry policy sets one. */
function retryableFailure(type: string, message: string, details: unknown[], delayMs?: number) {
  const options: ApplicationFailureOptions = { type, message, details };
  if (delayMs !== undefined) options.nextRetryDelay = delayMs;
  return applicationFailure(options);
}
