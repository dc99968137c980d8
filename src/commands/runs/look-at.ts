import { WorkflowFailedError, type Client, type WorkflowHandle } from '@temporalio/client';
import { receiptSchema, type Receipt } from '../../contract/schemas';
import type { RunDescription } from '../../temporal/describe-run';
import type { RunRef } from '../../temporal/read-history';
import { isOpen } from '../../temporal/run-state';
import { CommandError, EXIT_CODES } from '../cli/command-error';
import { describeUnconfirmed, describeUndelivered, toEndingError } from './describe-ending';
import { findFailureType, readStatus, type StatusReading } from './read-status';
import { requirePrepareRun } from './refusals';
import { NO_RESPONSE, findNextAttempt, findObstacle, identifyTask } from './why-stuck';

const STEP_BY_ACTIVITY: Readonly<Record<string, string>> = {
  createLinkToken: 'creating',
  deliverLinkToken: 'delivering',
};

/** What a run does now. */
export interface Progress {
  /** Such as `creating`; `waiting` for a worker. */
  step: string;
  /** Why it is not further; null if nothing is in its way. */
  reason: string | null;
  /** The attempt of its activity, and the time of the next; null while they are not known. */
  attempt: number | null;
  next: string | null;
}

/** A look at an open run. */
export interface OpenLook {
  run: RunDescription;
  /** For the next look. */
  task: string | null;
  isStuck: boolean;
  /** Null if nothing is known. */
  progress: Progress | null;
}

/**
 * Looks at a run once.
 *
 * @param lastTask the task that the look before saw; null for the first look.
 * @throws CommandError when the run ended without a receipt, is undelivered (exit code 5) or has
 *   another workflow type.
 */
export async function lookAt(
  client: Client,
  { workflowId, runId }: RunRef,
  lastTask: string | null,
): Promise<OpenLook | { receipt: Receipt }> {
  const run = await requirePrepareRun(client, { workflowId, runId });
  if (!isOpen(run)) {
    return { receipt: await waitForReceipt(client.workflow.getHandle(workflowId, runId), run) };
  }
  const task = identifyTask(run);
  const isStuck = task !== null && task === lastTask;
  return { run, task, isStuck, progress: await findProgress(client, run, isStuck) };
}

/**
 * Finds what a run does: its pending activity with the attempts, which only the server knows, or
 * else its status.
 *
 * @param isStuck whether the last look saw the same workflow task.
 * @returns null when nothing is known.
 * @throws CommandError when the run is undelivered, and waits.
 */
async function findProgress(
  client: Client,
  run: RunDescription,
  isStuck: boolean,
): Promise<Progress | null> {
  const { raw } = run;
  const [activity] = raw.pendingActivities ?? [];
  const obstacle = findObstacle(run, isStuck);
  if (activity) {
    return {
      step: STEP_BY_ACTIVITY[activity.activityType?.name ?? ''] ?? 'working',
      reason: activity.lastFailure?.message || null,
      attempt: activity.attempt ?? 1,
      // The activity of a paused run has a next attempt, too, which does not start.
      next: obstacle ?? describeNextAttempt(findNextAttempt(run)),
    };
  }
  const waiting = { step: 'waiting', attempt: null, next: null };
  if (raw.pendingWorkflowTask) {
    return obstacle || isStuck ? { ...waiting, reason: obstacle } : null;
  }
  // A run without a task waits for a time or for an Update.
  const reading = await readStatus(client, run);
  // If no worker answers the Query, the memo still says whether the run is undelivered.
  const { step } = reading.status ?? run.memo;
  if (step === 'undelivered') throw toUndeliveredError(run, reading);
  if (!reading.status) {
    return reading.problem === NO_RESPONSE ? null : { ...waiting, reason: reading.problem };
  }
  const { description, nextAttemptAt } = reading.status;
  return {
    step: reading.status.step,
    reason: description,
    attempt: null,
    next: describeNextAttempt(nextAttemptAt),
  };
}

function describeNextAttempt(nextAttemptAt: string | null): string | null {
  return nextAttemptAt && `next attempt at ${nextAttemptAt}`;
}

/** @throws CommandError with the type, message and details of the run's failure. */
async function waitForReceipt(handle: WorkflowHandle, run: RunDescription): Promise<Receipt> {
  const { workflowId } = run;
  const result: unknown = await handle.result().catch((error: unknown) => {
    throw error instanceof WorkflowFailedError ? toEndingError(error.cause, run, run.memo) : error;
  });
  // The receipt may have fields that this release does not know.
  if (receiptSchema.safeParse(result).success) return result as Receipt;
  const message =
    `${workflowId} completed with a result that is not a receipt:` +
    ' its history has that result and the token';
  throw new CommandError(message, EXIT_CODES.failed, { workflowId });
}

function toUndeliveredError(
  { workflowId, memo }: RunDescription,
  { status, problem }: StatusReading,
): CommandError {
  const { description = '', nextAttemptAt } = status ?? {};
  const { unconfirmedTokens } = status ?? memo;
  const remedy =
    problem === NO_RESPONSE ? ', so only the history has the reason: start a worker' : '';
  return new CommandError(
    [
      problem ? `undelivered: ${problem}${remedy}` : description,
      ...describeUndelivered(workflowId, nextAttemptAt),
      ...describeUnconfirmed(unconfirmedTokens, workflowId),
    ],
    EXIT_CODES.undelivered,
    { workflowId, type: findFailureType(description), status },
  );
}
