import {
  WithStartWorkflowOperation,
  WorkflowUpdateFailedError,
  type Client,
  type WorkflowIdConflictPolicy,
  type WorkflowIdReusePolicy,
} from '@temporalio/client';
import { UPDATES, WORKFLOW_TYPES } from '../contract/names';
import type { PrepareRequest, Receipt, Recovery } from '../contract/schemas';
import { failureError } from './outcome';
import { staticMetadata } from './static-metadata';
import { follow } from './watch';

export interface StartRunOptions {
  workflowId: string;
  taskQueue: string;
  /** The second is the token of a closed run: with it, nothing is created. */
  args: [request: PrepareRequest, recovery?: Recovery];
  conflictPolicy: WorkflowIdConflictPolicy;
  reusePolicy: WorkflowIdReusePolicy;
}

/** Starts `prepareLiveMigration` and does not wait. */
export async function startRun(client: Client, options: StartRunOptions): Promise<void> {
  await client.workflow.start(WORKFLOW_TYPES.prepare, workflowOptions(options));
}

/**
 * Starts `prepareLiveMigration`, or joins the open run of an equal request, and waits until its first round of delivery
 * has an outcome.
 *
 * @throws CommandError with that outcome; WorkflowExecutionAlreadyStartedError when the policies allow neither.
 */
export async function startAndAwaitDelivery(client: Client, options: StartRunOptions): Promise<Receipt> {
  const { workflowId, args } = options;
  const update = client.workflow.executeUpdateWithStart<never, Receipt, [PrepareRequest]>(
    UPDATES.awaitDelivery,
    {
      args: [args[0]],
      startWorkflowOperation: new WithStartWorkflowOperation(
        WORKFLOW_TYPES.prepare,
        workflowOptions(options),
      ) as never,
    },
  );
  return outcomeOfUpdate(update, client, workflowId);
}

/**
 * The outcome of an Update whose handler waits for a round of delivery.
 *
 * @throws CommandError.
 */
export async function outcomeOfUpdate(
  update: Promise<Receipt>,
  client: Client,
  workflowId: string,
): Promise<Receipt> {
  try {
    return await update;
  } catch (error) {
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    const known = failureError(error.cause, workflowId);
    if (known) throw known;
    // Too many callers wait already, or the run ended otherwise, as by a termination: the run itself tells more.
    return follow(client, workflowId, () => undefined);
  }
}

function workflowOptions({ workflowId, taskQueue, args, conflictPolicy, reusePolicy }: StartRunOptions) {
  return {
    workflowId,
    taskQueue,
    args,
    workflowIdConflictPolicy: conflictPolicy,
    workflowIdReusePolicy: reusePolicy,
    ...staticMetadata(args[0]),
  };
}
