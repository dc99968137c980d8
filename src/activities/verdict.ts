import type { FailureDetails, FailureType } from '../contract/names';

/** What one error means for the run. */
export interface Verdict {
  type: FailureType;
  /** Whether a later attempt can succeed. */
  retryable: boolean;
  /** Whether Atlas may have created a token whose answer we do not have. */
  perhapsMinted: boolean;
  /** What happened and, where no retry mends it, what to do. No secret. */
  message: string;
  details: Omit<FailureDetails, 'unconfirmedTokens'>;
  /** The wait that was asked for. */
  retryAfterMs?: number | undefined;
}
