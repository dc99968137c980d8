import { defaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  TimeoutFailure,
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
 * @param unconfirmedBefore what was counted before this step; null while creating, where only the attempts know.
 */
export function endingOf(
  error: unknown,
  unavailable: 'AtlasUnavailable' | 'SinkUnavailable',
  unconfirmedBefore: number | null,
): Ending {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure)
    return endingOfApplicationFailure(cause, unavailable, unconfirmedBefore);
  if (cause instanceof TimeoutFailure) {
    const last = cause.lastHeartbeatDetails as CreateHeartbeat | undefined;
    const lastKnown = lastReportedFailure(cause);
    const known = lastKnown?.details?.[0] as FailureDetails | undefined;
    return {
      type: unavailable,
      message: `given up after the give-up time; last known: ${lastKnown?.message ?? 'an attempt ended without an answer (a timeout, or its worker was lost)'}`,
      details: {
        ...known,
        // No attempt asks Atlas before the server has taken its first heartbeat.
        unconfirmedTokens: last?.unconfirmedTokens ?? known?.unconfirmedTokens ?? unconfirmedBefore ?? 0,
      },
    };
  }
  return {
    type: unavailable,
    message: error instanceof Error ? error.message : String(error),
    details: { unconfirmedTokens: unconfirmedBefore ?? 0 },
  };
}

/**
 * Null unless the run was asked to stop. An attempt under way then may have failed before it saw that, and is not
 * retried: that too is the end of a cancelled run. `unconfirmedTokens` is null where no attempt was left to tell it.
 */
export function cancellationOf(
  error: unknown,
  unconfirmedBefore: number | null,
): { failure: CancelledFailure; unconfirmedTokens: number | null } | null {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof CancelledFailure) {
    const details = cause.details[0] as FailureDetails | undefined;
    return { failure: cause, unconfirmedTokens: details?.unconfirmedTokens ?? unconfirmedBefore };
  }
  if (!CancellationScope.current().consideredCancelled) return null;
  const { message, details } = endingOf(error, 'AtlasUnavailable', unconfirmedBefore);
  const { unconfirmedTokens } = details;
  return {
    failure: new CancelledFailure(`cancelled; ${message}`, [{ unconfirmedTokens }]),
    unconfirmedTokens,
  };
}

export function failureOfEnding({ type, message, details }: Ending): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: true, details: [details] });
}

function endingOfApplicationFailure(
  { type, message, details }: ApplicationFailure,
  unavailable: FailureType,
  unconfirmedBefore: number | null,
): Ending {
  return {
    type: FAILURE_TYPES.find((known) => known === type) ?? unavailable,
    message,
    details: { unconfirmedTokens: unconfirmedBefore ?? 0, ...(details?.[0] as FailureDetails | undefined) },
  };
}

/** What an attempt failed with last. Temporal tells it as the cause of the timeout, which the SDK leaves out. */
function lastReportedFailure({ failure }: TimeoutFailure): ApplicationFailure | null {
  if (!failure?.cause) return null;
  const cause = defaultFailureConverter.failureToError(failure.cause, defaultPayloadConverter);
  return cause instanceof ApplicationFailure ? cause : null;
}
