import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError, type Client, type WorkflowHandle } from '@temporalio/client';
import { receiptSchema, type Receipt } from '../../contract/schemas';
import { commandLine } from '../../shared/command-line';
import {
  isCancelRequested,
  type RunDescription,
  type RunTarget,
} from '../../temporal/describe-run';
import type { RunRef } from '../../temporal/read-history';
import { isOpen } from '../../temporal/run-state';
import { CommandError, EXIT_CODES } from '../cli/command-error';
import type { CommandContext } from '../cli/context';
import {
  describeReceipt,
  describeUnconfirmed,
  describeUndelivered,
  toEndingError,
} from './describe-ending';
import { findFailureType, readStatus, type StatusReading } from './read-status';
import { requirePrepareRun } from './refusals';
import {
  CANCEL_REQUESTED,
  NO_RESPONSE,
  findNextAttempt,
  findObstacle,
  findQueueProblem,
  identifyTask,
} from './why-stuck';

const POLL_INTERVAL_MS = 250;
const MAX_POLL_INTERVAL_MS = 1000;

const STEP_BY_ACTIVITY: Readonly<Record<string, string>> = {
  createLinkToken: 'creating',
  deliverLinkToken: 'delivering',
};

/**
 * Follows a run, and prints each change and the receipt.
 *
 * @param facts printed beside the receipt.
 * @throws as `follow`.
 */
export async function watch(context: CommandContext, run: RunTarget, facts = {}) {
  const { client, output } = context;
  const { workflowId } = run;
  const at = () => new Date().toISOString();
  const receipt = await follow(client, run, (progress) => {
    output.setFollowUp(`the run goes on; follow it: ${commandLine('watch', workflowId)}`);
    output.print({ at: at(), workflowId, progress }, `${at()} ${progress}`);
  });
  // Like the lines before, this one has the time at which this command saw it. The receipt has the
  // time of the delivery.
  output.print({ workflowId, ...facts, receipt }, [
    { before: `${at()} `, word: 'delivered' },
    ...describeReceipt(receipt),
  ]);
}

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

/** A look at a run: its receipt, or what it does. `task` is for the next look. */
export type Look =
  | { receipt: Receipt }
  | { run: RunDescription; task: string | null; isStuck: boolean; progress: Progress | null };

/**
 * Follows a run until it ends or its token is undelivered.
 *
 * @param report gets a line whenever something changes, also in the task queue.
 * @throws as `lookAt`.
 */
export async function follow(
  client: Client,
  target: RunTarget,
  report?: (progress: string) => void,
): Promise<Receipt> {
  const { workflowId } = target;
  const runId = target.runId ?? (await requirePrepareRun(client, target)).runId;
  let intervalMs = POLL_INTERVAL_MS;
  let progress = '';
  let lastLine = '';
  let lastTask: string | null = null;
  for (;;) {
    const look = await lookAt(client, { workflowId, runId }, lastTask);
    if ('receipt' in look) return look.receipt;
    const { run, isStuck } = look;
    lastTask = look.task;
    if (look.progress) progress = describeProgress(look.progress);
    if (report) {
      const queueProblem = await findQueueProblem(client, run, isStuck);
      const cancellation = isCancelRequested(run) && CANCEL_REQUESTED;
      const line = [progress, cancellation, queueProblem].filter(Boolean).join('; ');
      if (line !== lastLine) report(line);
      lastLine = line;
    }
    await sleep(intervalMs);
    intervalMs = Math.min(intervalMs * 1.2, MAX_POLL_INTERVAL_MS);
  }
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
): Promise<Look> {
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

function describeProgress({ step, reason, attempt, next }: Progress): string {
  if (attempt !== null) {
    const failure = reason && `last failure: ${reason}`;
    return [`${step}, attempt ${attempt}`, failure, next].filter(Boolean).join('; ');
  }
  if (step === 'waiting') return reason ?? 'waiting for a worker';
  return [`${step}: ${reason ?? ''}`, next].filter(Boolean).join('; ');
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
