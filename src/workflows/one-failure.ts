import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  TimeoutFailure,
  isCancellation,
} from '@temporalio/workflow';
import {
  FAILURE_TYPES,
  type CreateHeartbeat,
  type FailureDetails,
  type FailureType,
} from '../contract/names';

/** What ended a step badly, told once and without causes behind it. */
export interface Ending {
  type: FailureType;
  message: string;
  details: FailureDetails;
}

/**
 * Makes one failure of whatever an activity ended with.
 *
 * @param unavailable the type of a step that gave up without saying why.
 * @param unconfirmedBefore what was counted before this step.
 */
export function endingOf(
  error: unknown,
  unavailable: 'AtlasUnavailable' | 'SinkUnavailable',
  unconfirmedBefore: number,
): Ending {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure)
    return endingOfApplicationFailure(cause, unavailable, unconfirmedBefore);
  if (cause instanceof TimeoutFailure) {
    const last = lastHeartbeatOf(cause);
    const lastKnown = cause.cause instanceof ApplicationFailure ? cause.cause : null;
    return {
      type: unavailable,
      message: `given up after the give-up time; last known: ${lastKnown?.message ?? 'an attempt ended without an answer (a timeout, or its worker was lost)'}`,
      details: {
        ...(lastKnown?.details?.[0] as FailureDetails | undefined),
        unconfirmedTokens: last?.unconfirmedTokens ?? unconfirmedBefore,
      },
    };
  }
  return {
    type: unavailable,
    message: error instanceof Error ? error.message : String(error),
    details: { unconfirmedTokens: unconfirmedBefore },
  };
}

/** Null for all but a cancellation. `unconfirmedTokens` is null where no attempt was left to tell it. */
export function cancellationOf(error: unknown): { unconfirmedTokens: number | null } | null {
  if (!isCancellation(error)) return null;
  const cause = error instanceof ActivityFailure ? error.cause : error;
  const details =
    cause instanceof CancelledFailure ? (cause.details[0] as FailureDetails | undefined) : undefined;
  return { unconfirmedTokens: details?.unconfirmedTokens ?? null };
}

export function failureOfEnding({ type, message, details }: Ending): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: true, details: [details] });
}

function endingOfApplicationFailure(
  { type, message, details }: ApplicationFailure,
  unavailable: FailureType,
  unconfirmedBefore: number,
): Ending {
  return {
    type: FAILURE_TYPES.find((known) => known === type) ?? unavailable,
    message,
    details: { unconfirmedTokens: unconfirmedBefore, ...(details?.[0] as FailureDetails | undefined) },
  };
}

function lastHeartbeatOf({ lastHeartbeatDetails, cause }: TimeoutFailure): CreateHeartbeat | undefined {
  const inner = cause instanceof TimeoutFailure ? cause.lastHeartbeatDetails : undefined;
  return (lastHeartbeatDetails ?? inner) as CreateHeartbeat | undefined;
}
