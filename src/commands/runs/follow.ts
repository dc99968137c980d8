import { setTimeout as sleep } from 'node:timers/promises';
import {
  WorkflowFailedError,
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
} from '@temporalio/client';
import { isUndelivered } from '../../contract/memo';
import { DELIVERY_FAILURE_TYPES, STATUS_QUERY } from '../../contract/names';
import { statusSchema, type Receipt, type Status } from '../../contract/schemas';
import type { RunRef } from '../../temporal/run-history';
import { isOpen } from '../../temporal/visibility';
import { CommandError, EXIT_CODES } from '../cli/command-error';
import { toEndingError, parseReceipt, describeUnconfirmed, describeUndelivered } from '../cli/endings';
import { lookForWorker } from './missing-worker';
import { refuseForeign } from './refusals';

/** The first interval; it grows to the maximum. */
const POLL_INTERVAL_MS = 250;
const MAX_POLL_INTERVAL_MS = 1000;
const STATUS_TIMEOUT_MS = 3000;

/** PENDING_WORKFLOW_TASK_STATE_SCHEDULED and PENDING_ACTIVITY_STATE_SCHEDULED in Temporal's API. */
const SCHEDULED = 1;

const STEP_BY_ACTIVITY: Readonly<Record<string, string>> = {
  createLinkToken: 'creating',
  deliverLinkToken: 'delivering',
};

/**
 * Follows a run until it ends or its token is undelivered.
 *
 * @param report gets a line whenever something changes.
 * @throws CommandError when the run ended without a receipt, is undelivered (exit code 5) or has a foreign type.
 */
export async function follow(
  client: Client,
  { workflowId, runId }: { workflowId: string; runId?: string },
  report: (progress: string) => void = () => undefined,
): Promise<Receipt> {
  runId ??= (await client.workflow.getHandle(workflowId).describe()).runId;
  const handle = client.workflow.getHandle(workflowId, runId);
  let lastLine = '';
  let progress = '';
  let historyLength = -1;
  /** The status at this length of the history. */
  let status: Status | null = null;
  let pollIntervalMs = POLL_INTERVAL_MS;
  for (;;) {
    const description = await handle.describe();
    refuseForeign(description);
    if (!isOpen(description)) return waitForReceipt(handle, { workflowId, runId });
    if (description.historyLength !== historyLength) status = null;
    ({ historyLength } = description);
    if (isIdle(description)) status ??= await queryStatus(client, handle);
    // Without a worker that responds to the Query, the memo says it.
    const waits = status ? status.step === 'undelivered' : isUndelivered(description.memo);
    if (waits && isIdle(description)) throw undelivered(workflowId, status);
    progress = describeProgress(description, status) ?? progress;
    // A person who may follow a run may lack the permission to describe task queues.
    const problem =
      isUnclaimed(description) && (await lookForWorker(client, description.taskQueue).catch(() => null));
    const line = [progress, problem].filter(Boolean).join('; ');
    if (line !== lastLine) report(line);
    lastLine = line;
    await sleep(pollIntervalMs);
    pollIntervalMs = Math.min(pollIntervalMs * 1.2, MAX_POLL_INTERVAL_MS);
  }
}

/** @throws CommandError with the type, message and details of the run's failure. */
async function waitForReceipt(handle: WorkflowHandle, run: RunRef): Promise<Receipt> {
  const { workflowId } = run;
  const result: unknown = await handle.result().catch((error: unknown) => {
    throw error instanceof WorkflowFailedError ? toEndingError(error.cause, run) : error;
  });
  const receipt = parseReceipt(result);
  if (receipt) return receipt;
  throw new CommandError(`${workflowId} completed with a result that is not a receipt`, EXIT_CODES.failed, {
    workflowId,
  });
}

/** Tells whether the run waits for a time or for an Update. */
function isIdle({ raw }: WorkflowExecutionDescription): boolean {
  return !raw.pendingActivities?.length && !raw.pendingWorkflowTask;
}

/** Tells whether a task waits for a worker, or for the time of its next attempt. */
function isUnclaimed({ raw }: WorkflowExecutionDescription): boolean {
  const pending = raw.pendingActivities?.[0] ?? raw.pendingWorkflowTask;
  return Number(pending?.state) === SCHEDULED;
}

/** @returns null when no worker responds. */
async function queryStatus(client: Client, handle: WorkflowHandle): Promise<Status | null> {
  const result: unknown = await client.connection
    .withDeadline(Date.now() + STATUS_TIMEOUT_MS, () => handle.query(STATUS_QUERY))
    .catch(() => null);
  return statusSchema.safeParse(result).data ?? null;
}

function undelivered(workflowId: string, status: Status | null): CommandError {
  const { description = '', nextTryAt, unconfirmedTokens = 0 } = status ?? {};
  return new CommandError(
    [
      status ? description : 'undelivered: no worker responds, so the reason is in the history only',
      ...describeUndelivered(workflowId, nextTryAt),
      ...describeUnconfirmed(unconfirmedTokens, workflowId),
    ],
    EXIT_CODES.undelivered,
    { workflowId, type: DELIVERY_FAILURE_TYPES.find((type) => description.startsWith(`${type}: `)), status },
  );
}

/**
 * Describes the pending activity with its attempts, which only the server knows, or else the status.
 *
 * @returns null when there is nothing to report.
 */
function describeProgress({ raw }: WorkflowExecutionDescription, status: Status | null): string | null {
  const [pending] = raw.pendingActivities ?? [];
  if (!pending) {
    if (Number(raw.pendingWorkflowTask?.state) === SCHEDULED) return 'waiting for a worker';
    return status && describeStatus(status);
  }
  const step = STEP_BY_ACTIVITY[pending.activityType?.name ?? ''] ?? 'working';
  const failure = pending.lastFailure?.message;
  return `${step}, attempt ${pending.attempt ?? 1}${failure ? `; last failure: ${failure}` : ''}`;
}

function describeStatus({ step, description, nextTryAt }: Status): string {
  return `${step}: ${description}${nextTryAt ? `; next try at ${nextTryAt}` : ''}`;
}
