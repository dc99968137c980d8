import type { Context } from '@temporalio/activity';
import { ApplicationFailure, defaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';

/**
 * What the attempt before this one failed with, as Temporal reports it for a pending activity. The activity itself does
 * not know. This is one request to Temporal, so it is for the rare path only.
 *
 * @returns null when there was none, or when Temporal does not say.
 */
export async function lastFailure(context: Context): Promise<ApplicationFailure | null> {
  const { workflowExecution, activityId } = context.info;
  if (!workflowExecution) return null;
  const { workflowId, runId } = workflowExecution;
  try {
    const { raw } = await context.client.workflow.getHandle(workflowId, runId).describe();
    const pending = raw.pendingActivities?.find((activity) => activity.activityId === activityId);
    if (!pending?.lastFailure) return null;
    const failure = defaultFailureConverter.failureToError(pending.lastFailure, defaultPayloadConverter);
    return failure instanceof ApplicationFailure ? failure : null;
  } catch {
    // The run ends with a message that says less.
    return null;
  }
}
