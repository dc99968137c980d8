import type { Client } from '@temporalio/client';
import { FIRST_POLL_MS, checkTaskQueue } from '../../doctor/task-queue';
import type { RunDescription } from '../../temporal/describe-run';
import { toMs } from '../../temporal/grpc';
import { hasFailedTask } from '../../temporal/read-history';

/*
 * Why an open run stands still: no worker polls its task queue, or none that gets tasks from it;
 * workers do not complete its task; an operator paused it or its activity.
 */

export const TASK_FAILS =
  "workers do not complete its workflow task: the workers' log and the Temporal UI say why";
export const IN_QUEUE = 'its workflow task is in the task queue, and no worker has taken it yet';
export const CANCEL_REQUESTED = 'cancellation was requested, and no worker has ended the run yet';
export const PAUSED = 'an operator paused it: temporal workflow unpause lets it go on';
export const ACTIVITY_PAUSED =
  'an operator paused its activity: temporal activity unpause lets it go on';

/** PENDING_WORKFLOW_TASK_STATE_SCHEDULED and PENDING_ACTIVITY_STATE_SCHEDULED in Temporal's API. */
const SCHEDULED = 1;

/**
 * Finds out why a run stands still; null if nothing is in its way. A task that busy workers did not
 * complete in time is in the queue again.
 */
export async function findObstacle(client: Client, run: RunDescription): Promise<string | null> {
  const { status, raw } = run;
  if (status.name === 'PAUSED') return PAUSED;
  if (raw.pendingActivities?.some(({ paused }) => paused)) return ACTIVITY_PAUSED;
  const { attempt = 0, state } = raw.pendingWorkflowTask ?? {};
  if ((attempt ?? 0) > 1 && (await hasFailedTask(client, run))) return TASK_FAILS;
  return Number(state) === SCHEDULED ? IN_QUEUE : null;
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
