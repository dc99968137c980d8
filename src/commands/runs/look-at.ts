import { WorkflowFailedError, type Client, type WorkflowHandle } from '@temporalio/client';
import { receiptSchema, type Receipt } from '../../contract/schemas';
import { isCancelRequested, type RunDescription } from '../../temporal/describe-run';
import type { RunRef } from '../../temporal/read-history';
import { isOpen } from '../../temporal/run-state';
import { CommandError, EXIT_CODES } from '../cli/command-error';
import { describeUnconfirmed, describeUndelivered, toEndingError } from './describe-ending';
import { findFailureType, readStatus, type StatusReading } from './read-status';
import { requirePrepareRun } from './refusals';
import {
  CANCEL_REQUESTED,
  NO_RESPONSE,
  findNextAttempt,
  findObstacle,
  identifyTask,
} from './why-stuck';

const STEP_BY_ACTIVITY: Readonly<Record<string, string>> = {
  createLinkToken: 'creating',
  deliverLinkToken: 'delivering',
};

/** What a run does now. */
export interface Progress {
  /** Such as `creating`; `waiting` for a worker. */
  step: string;
  /** Why it is not further, and the time of the next attempt; null if nothing is in its way. */
  reason: string | null;
  /** The attempt of its activity; null while it is not known. */
  attempt: number | null;
}

/** A look at an open run. */
export interface OpenLook {
  run: RunDescription;
  /** For the next look. */
  task: string | null;
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
  return { run, task, progress: await findProgress(client, run, isStuck) };
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
  const cancellation = isCancelRequested(run) ? CANCEL_REQUESTED : null;
  if (activity) {
    return {
      step: STEP_BY_ACTIVITY[activity.activityType?.name ?? ''] ?? 'working',
      // The activity of a paused run has a next attempt, too, which does not start.
      reason: join(
        activity.lastFailure?.message,
        obstacle ?? describeNextAttempt(findNextAttempt(run)),
        cancellation,
      ),
      attempt: activity.attempt ?? 1,
    };
  }
  const waiting = { step: 'waiting', attempt: null };
  if (raw.pendingWorkflowTask) {
    const reason = join(obstacle ?? 'no worker has taken its task', cancellation);
    return obstacle || isStuck ? { ...waiting, reason } : null;
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
    reason: join(description, describeNextAttempt(nextAttemptAt), cancellation),
    attempt: null,
  };
}

function join(...reasons: (string | null | undefined)[]): string | null {
  return reasons.filter(Boolean).join('; ') || null;
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
