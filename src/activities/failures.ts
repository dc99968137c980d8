import { ApplicationFailure, type ApplicationFailureOptions } from '@temporalio/common';
import type { AtlasOutcome } from '../atlas/outcomes';
import type { Backoff, DeliveryFailureDetails } from '../contract/activities';
import { describeProblems } from '../contract/check-request';
import { gaveUp } from '../contract/gave-up';
import { TOKEN_UNCONFIRMED, WORKER_CHECK_FAILED } from '../contract/names';
import { retryDelayMs } from '../contract/retry-delay';
import type { CheckReport, FieldProblem } from '../contract/schemas';
import { withoutStack } from '../contract/without-stack';
import type { DeliveryOutcome } from './delivery-outcomes';

/** A call that creates nothing is retried by Temporal as its retry policy says. */
export function repeatableCallFailure({
  type,
  retryable,
  message,
  details,
  retryAfterMs,
}: Pick<AtlasOutcome | DeliveryOutcome, 'type' | 'retryable' | 'message' | 'retryAfterMs'> & {
  details?: object;
}): ApplicationFailure {
  return applicationFailure({
    type,
    message,
    nonRetryable: !retryable,
    ...(details && { details: [details] }),
    ...(retryable && retryAfterMs !== undefined && { nextRetryDelay: retryAfterMs }),
  });
}

/** The time that an attempt has, and how the next one is spaced. */
export interface RetryTiming {
  plan: Backoff;
  /** From 1. */
  attempt: number;
  /** No attempt starts after this time (milliseconds since the epoch). */
  deadlineAtMs: number;
}

/**
 * The failure of a creation attempt. Temporal retries it only when the attempt created nothing; when a token may exist,
 * the workflow counts it and waits. A wait past the deadline ends creation at once.
 */
export function creationFailure(outcome: AtlasOutcome, timing: RetryTiming): ApplicationFailure {
  const {
    type,
    message,
    retryable,
    tokenMayExist,
    retryAfterMs,
    details,
    attempt = timing.attempt,
  } = outcome;
  if (!retryable) return terminal(type, message, tokenMayExist ? details : { ...details, tokenMayExist });
  if (tokenMayExist) {
    return terminal(TOKEN_UNCONFIRMED, message, {
      ...details,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }
  const delayMs = retryDelayMs(timing.plan, attempt, retryAfterMs);
  if (Date.now() + delayMs >= timing.deadlineAtMs) {
    return terminal(type, gaveUp(message, 'the retry deadline passes before the next attempt'), details);
  }
  return applicationFailure({ type, message, details: [details], nextRetryDelay: delayMs });
}

/** The failure of a delivery attempt. A wait past the end of the round ends the round at once. */
export function deliveryFailure(outcome: DeliveryOutcome, timing: RetryTiming): ApplicationFailure {
  const { type, message, retryable, tokenMayBeThere, retryAfterMs } = outcome;
  const details: DeliveryFailureDetails = {
    tokenMayBeThere,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
  if (!retryable) return terminal(type, message, details);
  const delayMs = retryDelayMs(timing.plan, timing.attempt, retryAfterMs);
  if (Date.now() + delayMs >= timing.deadlineAtMs) return terminal(type, message, details);
  return applicationFailure({ type, message, details: [details], nextRetryDelay: delayMs });
}

/** A failure stands in history twice, and Temporal refuses a workflow task of some megabytes for ever. */
const MAX_FIELDS = 100;

/** The failure of a request that has problems, the first hundred of them in its details. */
export function invalidRequest(problems: readonly FieldProblem[], report: object = {}): ApplicationFailure {
  const more = problems.length - MAX_FIELDS;
  const rest = { field: 'request', description: `has ${more} more problems: correct these first` };
  return terminal('InvalidRequest', `the request is not valid: ${describeProblems(problems)}`, {
    ...report,
    fields: more > 0 ? [...problems.slice(0, MAX_FIELDS), rest] : [...problems],
  });
}

/** The failure of a worker that cannot do its work. */
export function workerCheckFailed(report: CheckReport, retryable: boolean): ApplicationFailure {
  const errors = report.findings.filter(({ state }) => state === 'error');
  return applicationFailure({
    type: WORKER_CHECK_FAILED,
    message: errors.map(({ check, message }) => `${check}: ${message}`).join('; '),
    nonRetryable: !retryable,
    details: [report],
  });
}

function terminal(type: string, message: string, details: object): ApplicationFailure {
  return applicationFailure({ type, message, nonRetryable: true, details: [details] });
}

/** Its message says everything, so it has no stack. */
export function applicationFailure(options: ApplicationFailureOptions): ApplicationFailure {
  return withoutStack(ApplicationFailure.create(options));
}
