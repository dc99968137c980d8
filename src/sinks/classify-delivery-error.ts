import { CancelledFailure } from '@temporalio/common';
import type { DeliveryFailureType } from '../contract/failure-types';
import { SecretUnavailableError } from '../secrets/read-secret';
import { SealedTokenUnreadableError } from '../secrets/sealing';
import { NOTHING_DONE, type AttemptFailure } from '../shared/attempt-failure';
import { nameOfError } from '../shared/text';
import { SinkRejectedError, SinkUnavailableError } from './sink';

/**
 * Classifies an error of opening or delivering a token. Delivery is idempotent: in doubt, it is
 * retried.
 */
export function classifyDeliveryError(error: unknown): AttemptFailure<DeliveryFailureType> {
  const unavailable = { ...NOTHING_DONE, type: 'SinkUnavailable', details: {} } as const;
  if (error instanceof SealedTokenUnreadableError) {
    const { permanent, message } = error;
    return { ...unavailable, type: 'SealedTokenUnreadable', permanent, message };
  }
  if (error instanceof SinkRejectedError) {
    return { ...unavailable, type: 'SinkRejected', permanent: true, message: error.message };
  }
  if (error instanceof SinkUnavailableError) {
    return { ...unavailable, message: error.message, retryAfterMs: error.retryAfterMs };
  }
  if (error instanceof SecretUnavailableError) return { ...unavailable, message: error.message };
  if (error instanceof CancelledFailure) {
    const message = 'the attempt was stopped, and the sink may have the token';
    return { ...unavailable, message };
  }
  // The message of a library may hold a secret.
  const name = nameOfError(error);
  const problem = `the worker failed with an unexpected error (${name})`;
  return {
    ...unavailable,
    message: `${problem}: if it recurs, report it as an issue of live-migration-prep`,
  };
}
