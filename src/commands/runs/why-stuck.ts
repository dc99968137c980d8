import { QueryNotRegisteredError, QueryRejectedError, type Client } from '@temporalio/client';
import { FIRST_POLL_MS, checkTaskQueue } from '../../doctor/task-queue';
import type { RunDescription } from '../../temporal/describe-run';
import { GRPC, findGrpcCode, findGrpcError, isDenial, toMs } from '../../temporal/grpc';

/*
 * Why an open run stands still: no worker polls its task queue, or none that gets tasks from it; no
 * worker responds; workers do not complete its task or cannot continue it; an operator paused it or
 * its activity.
 */

export const NO_RESPONSE = 'no worker responds';
export const TASK_FAILS =
  "workers do not complete its workflow task: the workers' log and the Temporal UI say why";
export const CANCEL_REQUESTED = 'cancellation was requested, and no worker has ended the run yet';
export const PAUSED = 'an operator paused it: temporal workflow unpause lets it go on';
export const ACTIVITY_PAUSED =
  'an operator paused its activity: temporal activity unpause lets it go on';

/** Part of the message of server 1.32 for a Query that no worker polls for. */
const NO_POLLER = 'no poller seen';

/** PENDING_WORKFLOW_TASK_STATE_SCHEDULED and PENDING_ACTIVITY_STATE_SCHEDULED in Temporal's API. */
const SCHEDULED = 1;

/** Finds out, from the error of a Query, why no worker answered it. */
export function findQueryProblem(error: unknown): string {
  // The SDK's error for every Query that a worker failed to answer, such as when code and history
  // do not fit.
  if (error instanceof QueryNotRegisteredError) {
    return `its worker cannot continue it: ${error.message}`;
  }
  // The server sends no Query to a paused run.
  if (error instanceof QueryRejectedError) return PAUSED;
  const details = findGrpcError(error)?.details ?? '';
  if (isDenial(error)) return `Temporal denied the Query: ${details}`;
  // The server sends no Query to a worker that has just failed the workflow task.
  const hasFailed = findGrpcCode(error) === GRPC.failedPrecondition && !details.includes(NO_POLLER);
  return hasFailed ? TASK_FAILS : NO_RESPONSE;
}

/**
 * Returns a key by which two looks recognise one workflow task: the time at which it was scheduled
 * while no worker has taken it, `retried` while workers do not complete it; null otherwise. The
 * task of a healthy run also waits for a moment, so a run counts as stuck only if two looks see the
 * same task.
 */
export function identifyTask(run: RunDescription): string | null {
  const task = run.raw.pendingWorkflowTask;
  if (!task) return null;
  if (isTaskRetried(run)) return 'retried';
  return Number(task.state) === SCHEDULED ? String(toMs(task.scheduledTime)) : null;
}

/** Tells whether Temporal has given the present workflow task of a run to workers before. */
function isTaskRetried({ raw }: RunDescription): boolean {
  return (raw.pendingWorkflowTask?.attempt ?? 0) > 1;
}

/** Finds out why workers cannot continue a run, whatever they do; or null. */
export function findObstacle(run: RunDescription, isStuck: boolean): string | null {
  if (run.status.name === 'PAUSED') return PAUSED;
  if (run.raw.pendingActivities?.some(({ paused }) => paused)) return ACTIVITY_PAUSED;
  return isStuck && isTaskRetried(run) ? TASK_FAILS : null;
}

/** Finds the time at which Temporal retries the activity of a run, if it lies ahead; or null. */
export function findNextAttempt({ raw }: RunDescription): string | null {
  const [activity] = raw.pendingActivities ?? [];
  const nextAttemptMs = toMs(activity?.nextAttemptScheduleTime);
  const isAhead = Number(activity?.state) === SCHEDULED && nextAttemptMs > Date.now();
  return isAhead ? new Date(nextAttemptMs).toISOString() : null;
}

/** @returns null when a worker gets tasks from the task queue, or when it is not known. */
export async function findMissingWorker(
  client: Client,
  taskQueue: string,
  patienceMs = FIRST_POLL_MS,
): Promise<string | null> {
  const { state, message } = await checkTaskQueue(client, taskQueue, { patienceMs });
  return state === 'warning' ? message : null;
}
