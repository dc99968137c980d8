import {
  ApplicationFailure,
  CancelledFailure,
  proxyLocalActivities,
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
import { createRunStatus } from './run-status';
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

/**
 * Validates the request, then looks for an earlier token, both in one workflow task. A
 * cancellation takes precedence over what they find.
 */
async function validateStart(request: PrepareRequest): Promise<RunPlan> {
  try {
    requireStartOptions();
    const plan = await validate(request);
    await requireNoToken(request, plan);
    if (!isCancelled()) return plan;
  } catch (error) {
    if (!isCancelled()) throw error;
  }
  throw cancelledAtStart();
}

/** Pure and quick. A bug in it must not be retried unseen for ever. */
const { validateRequest } = proxyLocalActivities<Activities>({
  startToCloseTimeout: '5s',
  retry: { maximumAttempts: 3 },
  summary: 'validate the request',
});

/** A worker that cannot validate is reported as `AtlasUnavailable`: a later start may succeed. */
function validate(request: PrepareRequest): Promise<RunPlan> {
  return validateRequest(request).catch((error: unknown) => {
    throw startFailure(error, 'AtlasUnavailable', 'validate the request');
  });
}

/**
 * Retries wait on a timer of the server, so a list that does not respond holds no workflow task.
 * They are counted, and come every half minute after the first four: Core measures the time of a
 * local activity by the clock of its worker.
 */
function requireNoToken(request: PrepareRequest, { retries }: RunPlan): Promise<void> {
  const maximumAttempts = 4 + Math.ceil(retries.giveUpAfterMs / 30_000);
  const { findToken } = proxyLocalActivities<Activities>({
    startToCloseTimeout: '10s',
    retry: { initialInterval: '2s', maximumInterval: '30s', maximumAttempts },
    localRetryThreshold: '1s',
    summary: 'look for an earlier token',
  });
  return findToken(request).catch((error: unknown) => {
    throw startFailure(error, 'TemporalUnavailable', 'look for an earlier token');
  });
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
  if (memo && (Object.values(memo).includes(UNREADABLE) || !fitsAsJson(memo, MAX_MEMO_LENGTH))) {
    const description = 'is not plain JSON of at most 16 KB: start the run without it';
    problems.push({ field: 'memo', description });
  }
  if (problems.length > 0) throw invalidRequest(problems, { unconfirmedTokens: 0 });
}

/** @param timeoutMs 0 means no timeout. */
function isTooShort(timeoutMs = 0): boolean {
  return timeoutMs > 0 && timeoutMs < SHORTEST_WORKFLOW_TIMEOUT_MS;
}
