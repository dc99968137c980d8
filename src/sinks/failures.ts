import { CancelledFailure } from '@temporalio/common';
import type { DeliveryFailureType } from '../contract/failure-types';
import { SecretUnavailableError } from '../secrets/read-secret';
import { SealedTokenUnreadableError } from '../secrets/sealing';
import { nameOfError } from '../shared/text';
import { SinkRejectedError, SinkUnavailableError } from './sink';

export interface DeliveryFailure {
  type: DeliveryFailureType;
  retryable: boolean;
  message: string;
  /** True if the worker stopped the attempt: another one follows, even after a round's end. */
  wasStopped?: boolean;
  /** The wait that the sink requested. */
  retryAfterMs?: number | undefined;
}

/**
 * Classifies an error of opening or delivering a token. Delivery is idempotent: in doubt, it is
 * retried.
 */
export function classifyDeliveryError(error: unknown): DeliveryFailure {
  if (error instanceof SealedTokenUnreadableError) {
    return { type: 'SealedTokenUnreadable', retryable: error.retryable, message: error.message };
  }
  if (error instanceof SinkRejectedError) {
    return { type: 'SinkRejected', retryable: false, message: error.message };
  }
  const unavailable = { type: 'SinkUnavailable', retryable: true } as const;
  if (error instanceof SinkUnavailableError) {
    return { ...unavailable, message: error.message, retryAfterMs: error.retryAfterMs };
  }
  if (error instanceof SecretUnavailableError) return { ...unavailable, message: error.message };
  // The worker stops, or an operator paused or reset the activity.
  if (error instanceof CancelledFailure) {
    const message = 'the attempt was stopped before the sink had accepted the token';
    return { ...unavailable, message, wasStopped: true };
  }
  // The message of a library may hold a secret.
  const name = nameOfError(error);
  const problem = `the worker failed with an unexpected error (${name})`;
  return {
    ...unavailable,
    message: `${problem}: if it recurs, report it as an issue of live-migration-prep`,
  };
}
