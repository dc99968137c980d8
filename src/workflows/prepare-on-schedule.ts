import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  ChildWorkflowFailure,
  ParentClosePolicy,
  TemporalFailure,
  TerminatedFailure,
  WorkflowIdReusePolicy,
  isCancellation,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import { ORGANIZATION_ID, workflowIdFor } from '../contract/names';
import type { FailureDetails, PrepareRequest, ScheduledRequest, ScheduledResult } from '../contract/schemas';
import type { LinkState } from '../shared/activities';
import { commandLine } from '../shared/command-line';
import { truncate } from '../shared/text';
import { parseLinkState } from './activity-results';
import { isDeliveryFailureType, isRunFailureType } from './decisions';
import { failureOf, failureOfActivity, firstDetails, terminalFailure, unwritableRequest } from './failures';
import { countScheduledRun } from './metrics';
import { prepareLiveMigration } from './prepare-live-migration';
import { repeatable } from './proxies';

/** A failure's message has to stay readable. */
const MAX_LISTED = 10;

/**
 * The workflow that a schedule starts: it creates a token for a pair of organizations unless the source is linked, or the pair's last
 * token is recent; `always` skips both checks.
 *
 * A schedule appends a time to its workflow ids, so `prepareLiveMigration` runs as a child under its usual id: one run for
 * each pair of organizations, scheduled or not. While one is open, nothing is started.
 *
 * @throws ApplicationFailure with the type, message and details of the check or the child, `InvalidRequest` for its own
 *   input, `Cancelled` when only the child was cancelled or terminated; CancelledFailure when it was cancelled itself.
 */
export async function prepareOnSchedule(input: ScheduledRequest): Promise<ScheduledResult> {
  try {
    const result = await keepLinkUp(input);
    countScheduledRun(result.outcome);
    return result;
  } catch (error) {
    // A cancelled run pauses no schedule.
    if (!isCancellation(error)) countScheduledRun(failureOutcome(error));
    throw error;
  }
}

/** The type of a failure, as a label of a metric: anyone who may start work in the namespace can invent types. */
function failureOutcome(error: unknown): string {
  const type = error instanceof ApplicationFailure ? error.type : null;
  return isRunFailureType(type) || isDeliveryFailureType(type) ? type : 'other';
}

async function keepLinkUp(input: ScheduledRequest): Promise<ScheduledResult> {
  const request = requestOf(input);
  const always = input.always ?? false;
  const link = await linkOf(request, always);
  const { lastTokenAt } = link;
  // The child refuses a token that is newer than what the check saw, however late it starts.
  const again = always ? true : link.tokenRunId;
  if (link.linked) return { outcome: 'alreadyLinked', lastTokenAt, receipt: null };
  if (link.recentToken) return { outcome: 'recentToken', lastTokenAt, receipt: null };
  try {
    const child = await startChild(prepareLiveMigration, {
      workflowId: workflowIdFor(request.orgId, request.sourceOrgId),
      args: [again === null ? request : { ...request, again }],
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
    const failure = failureOfChild(error);
    if (!(failure instanceof ApplicationFailure) || failure.type !== 'TokenExists') throw failure;
    const { receipt: earlier }: Partial<FailureDetails> = firstDetails(failure);
    return { outcome: 'recentToken', lastTokenAt: earlier?.createdAt ?? lastTokenAt, receipt: null };
  }
}

async function linkOf(request: PrepareRequest, always: boolean): Promise<LinkState> {
  // Of the schedule's previous run: Temporal passes it on.
  const last = workflowInfo().lastResult as Partial<ScheduledResult> | null | undefined;
  const lastTokenAt = last?.lastTokenAt ?? null;
  if (always) return { linked: false, recentToken: false, lastTokenAt, tokenRunId: null };
  const { orgId, sourceOrgId = null, sink } = request;
  try {
    const check = repeatable('check the link').checkLink({ orgId, sourceOrgId, sink, lastTokenAt });
    return (
      parseLinkState(await check) ?? { linked: false, recentToken: false, lastTokenAt, tokenRunId: null }
    );
  } catch (error) {
    throw failureOfActivity(error);
  }
}

/** The failure of the child, so that a schedule pauses with the reason on top. */
function failureOfChild(error: unknown): unknown {
  const cause = error instanceof ChildWorkflowFailure ? error.cause : undefined;
  if (cause instanceof ApplicationFailure) {
    const { type, message, details } = cause;
    return terminalFailure(String(type), message, details ?? []);
  }
  if (cause instanceof CancelledFailure && !CancellationScope.current().consideredCancelled) {
    return failureOf('Cancelled', 'the run that this schedule started was cancelled', {
      unconfirmedTokens: 0,
    });
  }
  if (error instanceof ChildWorkflowFailure && cause instanceof TerminatedFailure) {
    const { workflowId, runId } = error.execution;
    return failureOf(
      'Cancelled',
      `the run that this schedule started was terminated; if it held a token: \`${commandLine('recover', String(workflowId), '--run-id', String(runId))}\``,
      { unconfirmedTokens: 0 },
    );
  }
  return error instanceof TemporalFailure ? error : unwritableRequest();
}

/** Schema of what the child's workflow id needs and what the child does not see; the child checks the rest. */
function requestOf(input: unknown): PrepareRequest {
  const { request, always, ...otherFields } = (input ?? {}) as { request?: unknown; always?: unknown };
  const { orgId, sourceOrgId, again } = (request ?? {}) as Record<string, unknown>;
  const problems = Object.entries({ orgId, ...(sourceOrgId != null && { sourceOrgId }) })
    .filter(([, id]) => typeof id !== 'string' || !ORGANIZATION_ID.test(id))
    .map(([field]) => ({
      field: `request.${field}`,
      description: 'is not 24 lower-case hexadecimal digits: copy it from the organization’s settings page',
    }));
  if (again !== undefined) {
    problems.push({
      field: 'request.again',
      description: 'belongs to a start on demand: remove it, or set always',
    });
  }
  if (always !== undefined && typeof always !== 'boolean') {
    problems.push({ field: 'always', description: 'is neither true nor false' });
  }
  // Reported only if nothing else is wrong: a caller that passes the bare request would get each of its fields listed.
  if (problems.length === 0) {
    for (const field of Object.keys(otherFields).slice(0, MAX_LISTED)) {
      problems.push({
        field: truncate(field),
        description: 'is not a field of a scheduled request: remove it',
      });
    }
  }
  if (problems.length === 0) return request as PrepareRequest;
  const sentence = problems.map(({ field, description }) => `${field} ${description}`).join('; ');
  throw failureOf('InvalidRequest', `the request is not valid: ${sentence}`, {
    fields: problems,
    unconfirmedTokens: 0,
  });
}
