import type { Context } from '@temporalio/activity';
import { notSentFailure, type AtlasFailure } from '../atlas/outcomes';
import { MAX_MESSAGE_LENGTH } from '../contract/limits';
import { toObject } from '../shared/object';
import { decodePayloads } from '../shared/payload-converter';
import { cut } from '../shared/text';
import { describeRun, isCancelRequested, type RunDescription } from '../temporal/describe-run';
import { findGrpcCode, toMs } from '../temporal/grpc';
import { isOpen } from '../temporal/run-state';
import { computeRetryTimeMs } from './attempt';

/**
 * Asks Temporal whether this attempt may send its request. A worker may take the attempt before the
 * workflow task that would cancel it, or long after the attempt was due, such as when no worker was
 * running for a while (server 1.32).
 *
 * @returns `startedAtMs`: when the attempt began, by Temporal's clock; absent if not known.
 *   `obstacle`: null if the attempt may send its request. Otherwise the failure with which it ends:
 *   Temporal does not respond, the run has ended, its cancellation was requested, Temporal has
 *   given up the attempt (its worker was frozen, for example), or it began after the deadline.
 */
export async function lookAtRun({
  client,
  info,
}: Context): Promise<{ startedAtMs?: number; obstacle: AtlasFailure | null }> {
  const { workflowId = '', runId } = info.workflowExecution ?? {};
  let run: RunDescription;
  try {
    run = await describeRun(client, { workflowId, runId });
  } catch (error) {
    return { obstacle: notDescribed(error) };
  }
  const { pendingActivities } = run.raw;
  const attempt = pendingActivities?.find(({ activityId }) => activityId === info.activityId);
  // Temporal describes the attempts of a terminated run, too.
  if (!isOpen(run) || isCancelRequested(run) || !attempt?.lastStartedTime) {
    return { obstacle: NOT_WANTED };
  }
  const startedAtMs = toMs(attempt.lastStartedTime);
  if (startedAtMs - info.scheduledTimestampMs < computeRetryTimeMs(info)) {
    return { startedAtMs, obstacle: null };
  }
  // The failure of the attempt before says why the run gives up.
  const { lastFailure } = attempt;
  const [details] = decodePayloads(lastFailure?.applicationFailureInfo?.details);
  const message = cut(
    lastFailure?.message ?? 'no worker took the attempt in time',
    MAX_MESSAGE_LENGTH,
  );
  return { startedAtMs, obstacle: notSentFailure(message, { details: toObject(details) }) };
}

const NOT_WANTED = notSentFailure(
  'the attempt sent nothing: its run has ended or is being cancelled, or Temporal has given it up',
);

function notDescribed(error: unknown): AtlasFailure {
  const reason = findGrpcCode(error) ?? (error as Error).name;
  return notSentFailure(
    `the attempt sent nothing, since Temporal did not describe its run (${reason}):` +
      ' check that Temporal responds, and that the workers may describe workflow runs' +
      ' (DescribeWorkflowExecution, in the role "read" of the namespace)',
  );
}
