import { ApplicationFailure, type ApplicationFailureOptions } from '@temporalio/common';
import type { AtlasOutcome } from '../atlas/outcomes';
import type { Backoff, DeliveryFailureDetails } from '../contract/activities';
import { describeProblems } from '../contract/check-request';
import { gaveUp } from '../contract/gave-up';
import { TOKEN_UNCONFIRMED, WORKER_CHECK_FAILED } from '../contract/names';
import { retryDelayMs } from '../contract/retry-delay';
import type { CheckReport, FieldProblem } from '../contract/schemas';
import { withoutStack } from '../contract/without-stack';
import { GRPC, findGrpcCode } from '../temporal/grpc';
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

/**
 * The failure of a delivery attempt. A wait past the end of the round ends the round at once.
 *
 * @param sinkTried goes into the details of the failure.
 */
export function deliveryFailure(
  outcome: DeliveryOutcome,
  timing: RetryTiming,
  sinkTried: boolean,
): ApplicationFailure {
  const { type, message, retryable, retryAfterMs } = outcome;
  const details: DeliveryFailureDetails = {
    sinkTried,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
  if (!retryable) return terminal(type, message, details);
  const delayMs = retryDelayMs(timing.plan, timing.attempt, retryAfterMs);
  if (Date.now() + delayMs >= timing.deadlineAtMs) return terminal(type, message, details);
  return applicationFailure({ type, message, details: [details], nextRetryDelay: delayMs });
}

/** Codes of Temporal's refusals, which last until somebody changes the worker's permissions or the server. */
const REFUSED_CODES: readonly number[] = [GRPC.permissionDenied, GRPC.unimplemented, GRPC.invalidArgument];

/**
 * The failure of an activity to which Temporal did not list or read the runs of a workflow id.
 *
 * @param givesUp whether the activity is not to be retried, whatever the error.
 */
export function temporalUnavailable(error: unknown, workflowId: string, givesUp = false): ApplicationFailure {
  const code = findGrpcCode(error);
  const isRefused = code !== null && REFUSED_CODES.includes(code);
  const reason = code === null ? (error as Error).name : `gRPC status ${code}`;
  const remedy = isRefused
    ? 'grant the worker the permission to list and read workflow runs'
    : "check that Temporal's visibility store works and that the namespace's limit of lists suffices";
  return applicationFailure({
    type: 'TemporalUnavailable',
    message: `Temporal did not list and read the runs of ${workflowId} (${reason}): ${remedy}, then start again`,
    nonRetryable: isRefused || givesUp,
  });
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
