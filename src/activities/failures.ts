import type { Info } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { FailureDetails, FieldProblem, RetrySettings } from '../contract/names';
import { describeProblems } from '../contract/check-request';
import type { Verdict } from './verdict';

/** What a retry is timed by: the attempt as Temporal tells it. */
export type Attempt = Pick<
  Info,
  'attempt' | 'retryPolicy' | 'scheduledTimestampMs' | 'scheduleToCloseTimeoutMs'
>;

/**
 * Turns a verdict into the failure that Temporal acts on. A retryable one carries the time of the next attempt: the
 * backoff with jitter, which Temporal's retry policy lacks, and never before the wait that was asked for. A wait past
 * the give-up time ends the retries at once, so that the run's failure has a type and a reason.
 */
export function failureOf(verdict: Verdict, unconfirmedTokens: number, attempt: Attempt): ApplicationFailure {
  const { type, message } = verdict;
  const details: FailureDetails[] = [{ ...verdict.details, unconfirmedTokens }];
  const terminal = (words: string) =>
    ApplicationFailure.create({ type, message: words, nonRetryable: true, details });
  if (!verdict.retryable) return terminal(message);
  const delayMs = nextRetryDelayMs(settingsOf(attempt), attempt.attempt, verdict.retryAfterMs);
  const remainingMs = attempt.scheduledTimestampMs + attempt.scheduleToCloseTimeoutMs - Date.now();
  if (delayMs >= remainingMs) {
    return terminal(
      `${message}; given up after ${attempt.attempt} attempt(s): the next would come after the give-up time`,
    );
  }
  return ApplicationFailure.create({ type, message, details, nextRetryDelay: delayMs });
}

/**
 * @param retryAfterMs the wait that was asked for; jitter is added to it and never taken from it.
 * @returns the wait before the next attempt, in whole milliseconds.
 */
export function nextRetryDelayMs(
  settings: Pick<RetrySettings, 'initialIntervalMs' | 'backoffCoefficient' | 'maximumIntervalMs'>,
  attempt: number,
  retryAfterMs?: number,
): number {
  const exponential = settings.initialIntervalMs * settings.backoffCoefficient ** (attempt - 1);
  const backoffMs = Math.min(exponential, settings.maximumIntervalMs);
  const jitterMs = (backoffMs / 2) * Math.random();
  return Math.round(retryAfterMs === undefined ? backoffMs / 2 + jitterMs : retryAfterMs + 2 * jitterMs);
}

/** The failure of a request that has problems, all of them in its details. */
export function invalidRequest(problems: readonly FieldProblem[]): ApplicationFailure {
  const details: FailureDetails[] = [{ fields: [...problems], unconfirmedTokens: 0 }];
  const message = `the request is not valid: ${describeProblems(problems)}`;
  return ApplicationFailure.create({ type: 'InvalidRequest', message, nonRetryable: true, details });
}

function settingsOf({ retryPolicy }: Attempt) {
  return {
    initialIntervalMs: Number(retryPolicy?.initialInterval ?? 1000),
    backoffCoefficient: retryPolicy?.backoffCoefficient ?? 2,
    maximumIntervalMs: Number(retryPolicy?.maximumInterval ?? 60_000),
  };
}
