import { SealedTokenUnreadableError } from '../sealing';
import { SecretUnavailableError } from '../secrets';
import { SinkRejectedError, SinkUnavailableError } from '../sinks/sink';
import type { Verdict } from './verdict';

/** Judges an error of opening and delivering a sealed token. Delivery is idempotent, so doubt means retry. */
export function judgeSinkError(error: unknown): Verdict {
  const verdict = { retryable: false, perhapsMinted: false, details: {} };
  if (error instanceof SealedTokenUnreadableError) {
    return { ...verdict, type: 'SealedTokenUnreadable', message: error.message };
  }
  if (error instanceof SinkRejectedError) return { ...verdict, type: 'SinkRejected', message: error.message };
  const unavailable = { ...verdict, type: 'SinkUnavailable', retryable: true } as const;
  if (error instanceof SinkUnavailableError) {
    return { ...unavailable, message: error.message, retryAfterMs: error.retryAfterMs };
  }
  if (error instanceof SecretUnavailableError) return { ...unavailable, message: error.message };
  // A library's own message may hold a secret.
  const name = error instanceof Error ? error.name : typeof error;
  return { ...unavailable, message: `the sink failed in a way we do not know (${name})` };
}
