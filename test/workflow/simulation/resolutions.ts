import { defaultFailureConverter } from '@temporalio/common';
import { payloadConverter } from '../../../src/shared/payload-converter';
import type { HistoryEvent } from '../../../src/temporal/run-history';
import type { SimulatedActivity } from './activity';
import type { SimulatedRun } from './run';

/** How an activity or a child ends, and what Core tells the workflow of that. */

export const decode = (payload: unknown): unknown => payloadConverter.fromPayload(payload as never);

export type Failure = NonNullable<
  NonNullable<HistoryEvent['activityTaskFailedEventAttributes']>['failure']
>;
export type TimeoutType = 'START_TO_CLOSE' | 'SCHEDULE_TO_CLOSE' | 'HEARTBEAT';
/** What a worker reports of an attempt. */
export type Report = { result: unknown } | { failure: Failure } | { cancelled: true };
export type End = Report | { timeout: TimeoutType };

/** An end that an activation has brought to the workflow. */
export interface SeenEnd {
  activity: SimulatedActivity;
  end: End;
  seenIn: number;
}

const TIMEOUT_CODES = { START_TO_CLOSE: 1, SCHEDULE_TO_CLOSE: 3, HEARTBEAT: 4 };

/** Reads the failure that ended a run. */
export function readFailure(failure: object): { type?: string; message: string; details: object } {
  const error = defaultFailureConverter.failureToError(failure, payloadConverter);
  const { type, message, details } = error as {
    type?: string;
    message: string;
    details?: object[];
  };
  return { ...(type && { type }), message, details: { ...details?.[0] } };
}

/** Temporal reports the last failed attempt as the cause of a timeout. */
export function toTimeoutFailure(timeout: TimeoutType, cause: Failure | null): Failure {
  const timeoutFailureInfo = { timeoutType: TIMEOUT_CODES[timeout] };
  return { message: `activity ${timeout} timeout`, timeoutFailureInfo, cause };
}

export function toResolution(
  end: End,
  { id, type, lastFailure = null }: { id: string; type: string; lastFailure?: Failure | null },
) {
  if ('result' in end) return { completed: { result: payloadConverter.toPayload(end.result) } };
  const activityFailureInfo = { activityId: id, activityType: { name: type } };
  const wrap = (cause: object) => ({ message: 'Activity task failed', cause, activityFailureInfo });
  if ('failure' in end) return { failed: { failure: wrap(end.failure) } };
  if ('timeout' in end) {
    return { failed: { failure: wrap(toTimeoutFailure(end.timeout, lastFailure)) } };
  }
  return { cancelled: { failure: wrap({ message: 'cancelled', canceledFailureInfo: {} }) } };
}

/** How a child workflow ends, for its parent. */
export function toChildResolution({ type, workflowId, runId, status, ending }: SimulatedRun) {
  const childWorkflowExecutionFailureInfo = {
    workflowType: { name: type },
    workflowExecution: { workflowId, runId },
  };
  const wrap = (cause: object) => ({ message: 'child', cause, childWorkflowExecutionFailureInfo });
  if (status === 'COMPLETED') return { completed: { result: payloadConverter.toPayload(ending) } };
  if (status === 'FAILED') return { failed: { failure: wrap(ending) } };
  if (status === 'CANCELLED') return { cancelled: { failure: wrap({ canceledFailureInfo: {} }) } };
  return { failed: { failure: wrap({ terminatedFailureInfo: {} }) } };
}
