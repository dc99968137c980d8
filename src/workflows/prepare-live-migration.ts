import {
  ActivityCancellationType,
  ApplicationFailure,
  CancelledFailure,
  proxyActivities,
  setDefaultSignalHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { MAX_MEMO_LENGTH, SHORTEST_WORKFLOW_TIMEOUT_MS } from '../contract/limits';
import type { FieldProblem, PrepareRequest, Receipt } from '../contract/schemas';
import type { Activities, RunPlan } from '../shared/activities';
import { invalidRequest } from '../shared/invalid-request';
import { fitsAsJson } from '../shared/object';
import { UNREADABLE } from '../shared/payload-converter';
import { createToken } from './create-token';
import { deliverToken } from './deliver-token';
import { cancelledAtStart, isCancelled, startFailure } from './endings';
import { createRunStatus, hasOwnMemoField } from './run-status';
import { handleUpdates, untilCallersHaveEnding } from './updates';

/**
 * Validates the request, creates a link-token and delivers it to the sink. The run stays open until
 * the token is delivered, or until someone cancels it.
 *
 * @throws ApplicationFailure whose `type` is a FailureType; CancelledFailure when cancelled before
 *   anything was created.
 */
export async function prepareLiveMigration(request: PrepareRequest): Promise<Receipt> {
  // Temporal would keep Signals, of up to 2 MB each, for a handler to come.
  setDefaultSignalHandler(() => undefined);
  const status = createRunStatus();
  const updates = handleUpdates(request, status);
  try {
    const plan = await validateStart(request);
    const deadlineAtMs = Date.now() + plan.retries.giveUpAfterMs;
    status.setPlan(plan, deadlineAtMs);
    const token = await createToken(plan, deadlineAtMs, status);
    status.setToken(token);
    const receipt = await deliverToken(plan, token, { status, updates });
    status.reportDelivered(receipt);
    await untilCallersHaveEnding();
    return receipt;
  } catch (error) {
    // Any other error is a defect: it fails the workflow task, and the run waits for a release.
    if (error instanceof CancelledFailure || error instanceof ApplicationFailure) {
      status.reportFailure(error);
      await untilCallersHaveEnding();
    }
    throw error;
  }
}

const VALIDATION = 'validate the request, and look for an earlier token';

/**
 * An attempt is short, so that a list of Temporal that hangs occupies a worker's activity slots
 * only briefly. What can wait for that list: nothing was created yet.
 */
const { validateRequest } = proxyActivities<Activities>({
  startToCloseTimeout: '3s',
  scheduleToCloseTimeout: '1h',
  retry: { initialInterval: '1s', maximumInterval: '1m' },
  // As for the check of a schedule: the attempt that a cancel meets ends in time, and is heard.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  summary: VALIDATION,
});

/** Decides whether the run may begin. A cancellation takes precedence over what it finds. */
async function validateStart(request: PrepareRequest): Promise<RunPlan> {
  try {
    requireStartOptions();
    const plan = await validateRequest(request);
    if (!isCancelled()) return plan;
  } catch (error) {
    if (!isCancelled()) throw startFailure(error, VALIDATION);
  }
  throw cancelledAtStart();
}

const ENDS_OR_REPEATS =
  'is not allowed: a run that Temporal ends or repeats leaves a token behind;' +
  ' start it without this option';

/** Refuses start options with which a run could create a second token or abandon one. */
function requireStartOptions(): void {
  const { executionTimeoutMs, runTimeoutMs, retryPolicy, cronSchedule, memo } = workflowInfo();
  const refused = {
    workflowExecutionTimeout: isTooShort(executionTimeoutMs),
    // The server sets it to the execution timeout where the caller set none.
    workflowRunTimeout: isTooShort(runTimeoutMs) && runTimeoutMs !== executionTimeoutMs,
    retryPolicy,
    cronSchedule,
  };
  const problems: FieldProblem[] = Object.entries(refused)
    .filter(([, isSet]) => isSet)
    .map(([field]) => ({ field, description: ENDS_OR_REPEATS }));
  if (memo) problems.push(...findMemoProblems(memo));
  if (problems.length > 0) throw invalidRequest(problems, { unconfirmedTokens: 0 });
}

function findMemoProblems(memo: Record<string, unknown>): FieldProblem[] {
  if (Object.values(memo).includes(UNREADABLE) || !fitsAsJson(memo, MAX_MEMO_LENGTH)) {
    const description = 'is not plain JSON of at most 16 KB: start the run without it';
    return [{ field: 'memo', description }];
  }
  if (!hasOwnMemoField(memo)) return [];
  const description = 'has a field that the run itself writes: start the run without that field';
  return [{ field: 'memo', description }];
}

/** @param timeoutMs 0 means no timeout. */
function isTooShort(timeoutMs = 0): boolean {
  return timeoutMs > 0 && timeoutMs < SHORTEST_WORKFLOW_TIMEOUT_MS;
}
