import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { readMemo } from '../contract/schemas';
import { nullIfNotFound, withReadTimeout } from './grpc';

/**
 * Describes a run, the newest of its workflow id by default; null without one. Unlike Temporal's
 * list, the description does not lag.
 */
export async function describeRun(client: Client, workflowId: string, runId?: string) {
  const handle = client.workflow.getHandle(workflowId, runId);
  const run = await withReadTimeout(client, () => handle.describe()).catch(nullIfNotFound);
  return run && { ...run, memo: readMemo(run.memo) };
}

export function isOpen({ status: { name } }: { status: { name: string } }): boolean {
  return name === 'RUNNING' || name === 'PAUSED';
}

/** Tells whether Temporal has given the present workflow task of a run to workers before. */
export function isWorkflowTaskRetried({ raw }: Pick<WorkflowExecutionDescription, 'raw'>): boolean {
  return (raw.pendingWorkflowTask?.attempt ?? 0) > 1;
}

/**
 * Tells whether somebody has requested the cancellation of a run. Old servers do not say, so that
 * it counts as not.
 */
export function isCancelRequested({ raw }: Pick<WorkflowExecutionDescription, 'raw'>): boolean {
  return raw.workflowExtendedInfo?.cancelRequested ?? false;
}
