import type { Context, Info } from '@temporalio/activity';
import { AtlasError, notSentFailure } from '../atlas/failures';
import { describeRun, isCancelRequested } from '../temporal/describe-run';
import { findGrpcCode, toMs } from '../temporal/grpc';

/**
 * Tells whether no attempt of the activity came before this one. `temporal activity reset` resets
 * the attempt number, but not the times.
 */
export function isFirstAttempt(info: Info): boolean {
  return (
    info.attempt === 1 && info.scheduledTimestampMs === info.currentAttemptScheduledTimestampMs
  );
}

/**
 * Computes until when an attempt may begin, counted from the time at which the activity was
 * scheduled: schedule-to-close has room for one attempt after that.
 */
export function computeRetryTimeMs({
  scheduleToCloseTimeoutMs,
  startToCloseTimeoutMs,
}: Pick<Info, 'scheduleToCloseTimeoutMs' | 'startToCloseTimeoutMs'>): number {
  return scheduleToCloseTimeoutMs - startToCloseTimeoutMs;
}

/**
 * Asks Temporal whether this attempt may still send its request. Where no worker was running for a
 * while, the first one that starts may take the attempt before the workflow task that would cancel
 * it, or long after the attempt was due (server 1.32).
 *
 * @throws AtlasError when somebody requested the cancellation of the run, when the attempt began
 *   after the deadline, or when Temporal does not respond: nothing was sent.
 */
export async function requireOpenCreation({ client, info }: Context): Promise<void> {
  const { workflowId = '', runId } = info.workflowExecution ?? {};
  const run = await describeRun(client, { workflowId, runId }).catch((error: unknown) => {
    const reason = findGrpcCode(error) ?? (error as Error).name;
    throw notSent(
      `Temporal did not describe the run of this attempt (${reason}), so it sent nothing:` +
        ' check that Temporal responds, and that the workers may describe workflow runs' +
        ' (DescribeWorkflowExecution, in the role "read" of the namespace)',
    );
  });
  if (isCancelRequested(run)) {
    throw notSent('somebody requested the cancellation of the run: the attempt sent nothing');
  }
  const { pendingActivities = [] } = run.raw;
  const attempt = pendingActivities?.find(({ activityId }) => activityId === info.activityId);
  // Without a time, the attempt counts as started in time.
  const startedAtMs = toMs(attempt?.lastStartedTime);
  if (startedAtMs < info.scheduledTimestampMs + computeRetryTimeMs(info)) return;
  throw notSent(
    'gave up: the retry deadline passed before this attempt began, so it sent nothing to Atlas;' +
      ' start a new run once workers are running',
    { retryable: false },
  );
}

function notSent(...failure: Parameters<typeof notSentFailure>): AtlasError {
  return new AtlasError(notSentFailure(...failure));
}
