import { WorkflowFailedError, type Client, type WorkflowHandle } from '@temporalio/client';
import { receiptSchema, type Receipt } from '../../contract/schemas';
import { isCancelRequested, type RunDescription } from '../../temporal/describe-run';
import type { RunRef } from '../../temporal/read-history';
import { isOpen } from '../../temporal/run-state';
import { CommandError, EXIT_CODES } from '../cli/command-error';
import { describeUnconfirmed, describeUndelivered, toEndingError } from './describe-ending';
import { requirePrepareRun } from './refusals';
import { CANCEL_REQUESTED, findNextAttempt, findObstacle } from './why-stuck';

const STEP_BY_ACTIVITY: Readonly<Record<string, string>> = {
  validateRequest: 'validating',
  createLinkToken: 'creating',
  deliverLinkToken: 'delivering',
  revokeLinkToken: 'revoking',
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
  /** Null if nothing is known. */
  progress: Progress | null;
}

/**
 * Looks at a run once.
 *
 * @throws CommandError when the run ended without a receipt, is undelivered (exit code 5) or has
 *   another workflow type.
 */
export async function lookAt(
  client: Client,
  { workflowId, runId }: RunRef,
): Promise<OpenLook | { receipt: Receipt }> {
  const run = await requirePrepareRun(client, { workflowId, runId });
  if (!isOpen(run)) {
    return { receipt: await waitForReceipt(client.workflow.getHandle(workflowId, runId), run) };
  }
  return { run, progress: await findProgress(client, run) };
}

/**
 * Finds what a run does: its pending activity with the attempts, which only the server knows, or
 * else what its memo says of its pause.
 *
 * @returns null when nothing is known.
 * @throws CommandError when the run is undelivered, and waits.
 */
async function findProgress(client: Client, run: RunDescription): Promise<Progress | null> {
  const { raw, memo } = run;
  const [activity] = raw.pendingActivities ?? [];
  const obstacle = await findObstacle(client, run);
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
  if (raw.pendingWorkflowTask) {
    return obstacle
      ? { step: 'waiting', reason: join(obstacle, cancellation), attempt: null }
      : null;
  }
  // A run without a task waits for a time or for an Update.
  if (memo.step === 'undelivered') throw toUndeliveredError(run, obstacle);
  if (!memo.failure && !obstacle) return null;
  const next = describeNextAttempt(memo.nextAttemptAt);
  return {
    step: memo.failure ? 'creating' : 'waiting',
    reason: join(memo.failure?.message, obstacle ?? next, cancellation),
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

/** @param obstacle what keeps the run from going on. */
function toUndeliveredError(
  { workflowId, memo }: RunDescription,
  obstacle: string | null,
): CommandError {
  const { failure, nextAttemptAt, unconfirmedTokens, deliveryId } = memo;
  const reason = failure ? `${failure.type}: ${failure.message}` : 'undelivered';
  return new CommandError(
    [
      obstacle ? `${reason}; ${obstacle}` : reason,
      ...describeUndelivered(workflowId, nextAttemptAt),
      ...describeUnconfirmed(unconfirmedTokens, workflowId),
    ],
    EXIT_CODES.undelivered,
    { workflowId, type: failure?.type, deliveryId, nextAttemptAt, unconfirmedTokens },
  );
}
