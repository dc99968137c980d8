import type { ApplicationFailure, Client } from '@temporalio/client';
import { differingFields } from './compare-requests';
import type { PrepareRequest, Receipt } from './schemas';
import { summaryFor, workflowIdFor } from './workflow-id';
import {
  DEFAULT_TASK_QUEUE,
  WORKFLOW_TYPES,
  awaitDeliveryUpdate,
  type PrepareLiveMigration,
} from './workflows';

/**
 * Creates a link-token and delivers it to the sink of the request. It joins the open run of an
 * equal request. While Temporal retains a run that delivered for one, it returns the receipt of
 * that run, without a worker. So it can be repeated after any error.
 *
 * @param request with `again`, the id of the run whose token may have a successor: the same in each
 *   repetition, since every new id permits another token.
 * @throws ApplicationFailure whose `type` is a FailureType, a DeliveryFailureType (the run goes on)
 *   or, without details, `DifferentRequest`, and `InvalidRequest` if `again` is true; the errors of
 *   Temporal's client.
 */
export async function prepareLinkToken(
  client: Client,
  request: PrepareRequest,
  { taskQueue = DEFAULT_TASK_QUEUE }: { taskQueue?: string } = {},
): Promise<Receipt> {
  // Whoever needs only the names and the types need not install it.
  const sdk = await import('@temporalio/client');
  if (request.again === true) {
    const message =
      'again is true, with which each repeated call would create another token:' +
      ' write the id of the run whose token you replace';
    throw sdk.ApplicationFailure.nonRetryable(message, 'InvalidRequest');
  }
  const workflowId = workflowIdFor(request);
  const newestRunId = request.again ? await findNewestRunId(client, workflowId) : null;
  const startWorkflowOperation = new sdk.WithStartWorkflowOperation<PrepareLiveMigration>(
    WORKFLOW_TYPES.prepare,
    {
      workflowId,
      taskQueue,
      args: [request],
      staticSummary: summaryFor(request),
      workflowIdConflictPolicy: 'USE_EXISTING',
      // A repeated call finds its own run here, before Temporal lists that as closed.
      workflowIdReusePolicy:
        newestRunId !== null && newestRunId === request.again
          ? 'ALLOW_DUPLICATE'
          : 'ALLOW_DUPLICATE_FAILED_ONLY',
    },
  );
  let runId: string;
  try {
    return await client.workflow.executeUpdateWithStart(awaitDeliveryUpdate, {
      args: [request],
      startWorkflowOperation,
    });
  } catch (error) {
    const failure = error instanceof sdk.WorkflowUpdateFailedError ? error.cause : error;
    if (failure instanceof sdk.WorkflowExecutionAlreadyStartedError) {
      // The newest run of the id has delivered.
      runId = String(await findNewestRunId(client, workflowId));
    } else {
      const delivered = failure instanceof sdk.ApplicationFailure && findDeliveredRun(failure);
      if (!delivered) throw failure;
      runId = delivered;
    }
  }
  const fields = differingFields(await readRequest(client, workflowId, runId), request);
  if (fields.length > 0) {
    const message = `run ${runId} delivered a token for a different request (${fields.join(', ')})`;
    throw sdk.ApplicationFailure.nonRetryable(message, 'DifferentRequest');
  }
  return client.workflow.getHandle<PrepareLiveMigration>(workflowId, runId).result();
}

/** Returns null if Temporal has no run of the id any more. */
async function findNewestRunId(client: Client, workflowId: string): Promise<string | null> {
  const { WorkflowNotFoundError } = await import('@temporalio/client');
  try {
    return (await client.workflow.getHandle(workflowId).describe()).runId;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** Finds the run that delivered the token which forbids another one. */
function findDeliveredRun({ type, details }: ApplicationFailure): string | null | undefined {
  if (type !== 'TokenExists') return null;
  return (Object(details?.[0]) as { runId?: string }).runId;
}

/** Reads the request of a run, as its caller sent it, from the first event of its history. */
async function readRequest(client: Client, workflowId: string, runId: string): Promise<unknown> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  const { input } = history?.events?.[0]?.workflowExecutionStartedEventAttributes ?? {};
  const json = new TextDecoder().decode(input?.payloads?.[0]?.data ?? undefined);
  return JSON.parse(json || 'null');
}
