import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ActivityCancellationType,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  ParentClosePolicy,
  TerminatedFailure,
  WorkflowIdReusePolicy,
  isCancellation,
  proxyActivities,
  setDefaultSignalHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import { NOT_AN_ORGANIZATION_ID, isOrganizationId, isSinkName } from '../contract/formats';
import type {
  FailureDetails,
  FieldProblem,
  PrepareRequest,
  ScheduledRequest,
  ScheduledResult,
} from '../contract/schemas';
import { summaryFor, workflowIdFor } from '../contract/workflow-id';
import type { Activities, LinkState } from '../shared/activities';
import { terminalFailure } from '../shared/application-failure';
import { readAttemptFailure } from '../shared/attempt-failure';
import { describeRemedy } from '../shared/command-line';
import { invalidRequest } from '../shared/invalid-request';
import { toObject } from '../shared/object';
import { cutAndEscape } from '../shared/text';
import { createFailure, firstDetails, isCancelled } from './endings';
import { prepareLiveMigration } from './prepare-live-migration';

/**
 * Creates a token for a pair of organizations unless the source is linked, or the pair's last token
 * is recent; `always` skips both checks. A schedule starts this workflow.
 *
 * A schedule appends a time to its workflow ids, so `prepareLiveMigration` runs as a child under
 * its usual id: one run for each pair of organizations, scheduled or not. While one is open,
 * nothing is started.
 *
 * @throws ApplicationFailure with the type, message and details of the check or the child,
 *   `InvalidRequest` for its own input, `Cancelled` when only the child was cancelled or
 *   terminated; CancelledFailure when it was cancelled itself, and the child ended as cancelled.
 */
export async function prepareOnSchedule(input: ScheduledRequest): Promise<ScheduledResult> {
  // As in `prepareLiveMigration`: this run waits as long as its child.
  setDefaultSignalHandler(() => undefined);
  return prepareUnlessLinked(parseScheduledRequest(input), input.always ?? false);
}

async function prepareUnlessLinked(
  request: PrepareRequest,
  always: boolean,
): Promise<ScheduledResult> {
  const { linked, recentToken, lastTokenAt, tokenRunId } = await readLinkState(request, always);
  if (linked) return { outcome: 'alreadyLinked', lastTokenAt, receipt: null };
  if (recentToken) return { outcome: 'recentToken', lastTokenAt, receipt: null };
  // The child refuses a token that is newer than what the check saw, however late it starts.
  const again = always || tokenRunId;
  try {
    const child = await startChild(prepareLiveMigration, {
      workflowId: workflowIdFor(request),
      args: [again === null ? request : { ...request, again }],
      staticSummary: summaryFor(request),
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      // The token of a child that outlives this run must still be delivered.
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
    const receipt = await child.result();
    return { outcome: 'prepared', lastTokenAt: receipt.createdAt, receipt };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) {
      return { outcome: 'alreadyRunning', lastTokenAt, receipt: null };
    }
    const failure = fromChildFailure(error);
    if (!(failure instanceof ApplicationFailure) || failure.type !== 'TokenExists') throw failure;
    const details: Partial<FailureDetails> = firstDetails(failure);
    return {
      outcome: 'recentToken',
      lastTokenAt: details.receipt?.createdAt ?? lastTokenAt,
      receipt: null,
    };
  }
}

/** Long enough for a brief outage and for the slowest attempt. */
const { checkLink } = proxyActivities<Activities>({
  startToCloseTimeout: '30m',
  heartbeatTimeout: '30s',
  scheduleToCloseTimeout: '1h',
  retry: { initialInterval: '1s', maximumInterval: '1m' },
  // Otherwise a cancelled run would end before its attempt, whose heartbeats Temporal then refuses:
  // an alert counts these.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  summary: 'check the link',
});

async function readLinkState(request: PrepareRequest, always: boolean): Promise<LinkState> {
  // Temporal passes on the result of the schedule's previous run.
  const lastResult = workflowInfo().lastResult as Partial<ScheduledResult> | null | undefined;
  const lastTokenAt = lastResult?.lastTokenAt ?? null;
  const { orgId, sourceOrgId = null, sink } = request;
  // The child reports every problem of its request at once, such as a malformed name of a sink.
  if (always || !isSinkName(sink)) {
    return { linked: false, recentToken: false, lastTokenAt, tokenRunId: null };
  }
  try {
    return await checkLink({ orgId, sourceOrgId, sink, lastTokenAt });
  } catch (error) {
    // Temporal does not retry in a cancelled run, so there the failure of the last attempt says
    // little.
    if (isCancellation(error) || isCancelled()) throw new CancelledFailure('cancelled');
    const { type, message, details } = readAttemptFailure(error);
    throw createFailure(type ?? 'AtlasUnavailable', message, { unconfirmedTokens: 0, ...details });
  }
}

/**
 * Builds the failure of this run from that of the child, so that a schedule pauses with the reason
 * on top.
 */
function fromChildFailure(error: unknown): unknown {
  const cause = error instanceof ChildWorkflowFailure ? error.cause : undefined;
  // A cancel pauses no schedule. The child's own failure says what is left.
  if (cause instanceof ApplicationFailure && cause.type === 'Cancelled' && isCancelled()) {
    return new CancelledFailure(cause.message);
  }
  if (cause instanceof ApplicationFailure) {
    return terminalFailure(String(cause.type), cause.message, ...(cause.details ?? []));
  }
  if (cause instanceof CancelledFailure && !isCancelled()) {
    return createFailure('Cancelled', 'the run that this schedule started was cancelled');
  }
  if (error instanceof ChildWorkflowFailure && cause instanceof TerminatedFailure) {
    const message = 'the run that this schedule started was terminated; if it held a token:';
    const remedy = describeRemedy(error.execution.workflowId ?? '', null, null);
    return createFailure('Cancelled', `${message} ${remedy}`);
  }
  return error;
}

/**
 * Validates what the child's workflow id needs and what the child does not see; the child validates
 * the rest.
 */
function parseScheduledRequest(input: unknown): PrepareRequest {
  const { request, always, ...otherFields } = toObject(input);
  const { orgId, sourceOrgId, again } = toObject(request);
  const problems: FieldProblem[] = [];
  const report = (field: string, description: string) => problems.push({ field, description });
  if (!isOrganizationId(orgId)) report('request.orgId', NOT_AN_ORGANIZATION_ID);
  if (sourceOrgId != null && !isOrganizationId(sourceOrgId)) {
    report('request.sourceOrgId', NOT_AN_ORGANIZATION_ID);
  }
  if (again !== undefined) {
    report('request.again', 'belongs to a start on demand: remove it, or set always');
  }
  if (always !== undefined && typeof always !== 'boolean') {
    report('always', 'is neither true nor false');
  }
  // Otherwise a caller that passes the bare request would get each of its fields listed.
  if (problems.length === 0) {
    for (const name of Object.keys(otherFields)) {
      report(cutAndEscape(name), 'is not a field of a scheduled request: remove it');
    }
  }
  if (problems.length > 0) throw invalidRequest(problems, { unconfirmedTokens: 0 });
  return request as PrepareRequest;
}
