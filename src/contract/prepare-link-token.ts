import type { Client } from '@temporalio/client';
import type { PrepareRequest, Receipt } from './schemas';
import { workflowIdFor } from './workflow-id';
import {
  DEFAULT_TASK_QUEUE,
  WORKFLOW_TYPES,
  awaitDeliveryUpdate,
  receiptForQuery,
  type PrepareLiveMigration,
} from './workflows';

/**
 * Creates a link-token and delivers it to the sink of the request. It joins the open run of an
 * equal request, and returns the receipt of a token that was delivered for one, so that it can be
 * repeated after any error.
 *
 * @throws ApplicationFailure whose `type` is a FailureType, a DeliveryFailureType (the run goes on)
 *   or `DifferentRequest`; the errors of Temporal's client.
 */
export async function prepareLinkToken(
  client: Client,
  request: PrepareRequest,
  { taskQueue = DEFAULT_TASK_QUEUE }: { taskQueue?: string } = {},
): Promise<Receipt> {
  // Whoever needs only the names and the types need not install it.
  const sdk = await import('@temporalio/client');
  const workflowId = workflowIdFor(request);
  const startWorkflowOperation = new sdk.WithStartWorkflowOperation<PrepareLiveMigration>(
    WORKFLOW_TYPES.prepare,
    {
      workflowId,
      taskQueue,
      args: [request],
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowIdReusePolicy: request.again ? 'ALLOW_DUPLICATE' : 'ALLOW_DUPLICATE_FAILED_ONLY',
    },
  );
  try {
    return await client.workflow.executeUpdateWithStart(awaitDeliveryUpdate, {
      args: [request],
      startWorkflowOperation,
    });
  } catch (error) {
    if (error instanceof sdk.WorkflowUpdateFailedError) throw error.cause ?? error;
    if (!(error instanceof sdk.WorkflowExecutionAlreadyStartedError)) throw error;
  }
  // The newest run of the id delivered its token, perhaps for a different request.
  try {
    return await client.workflow.getHandle(workflowId).query(receiptForQuery, request);
  } catch (error) {
    // The SDK's error for each Query that a workflow refuses.
    if (!(error instanceof sdk.QueryNotRegisteredError)) throw error;
    throw sdk.ApplicationFailure.nonRetryable(error.message, 'DifferentRequest');
  }
}
