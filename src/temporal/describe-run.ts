import type { Client } from '@temporalio/client';
import { readMemo } from '../contract/schemas';
import { nullIfNotFound, withReadTimeout } from './grpc';

/** A run; without a run id, the newest of its workflow id. */
export interface RunTarget {
  workflowId: string;
  runId?: string | undefined;
}

export type RunDescription = Awaited<ReturnType<typeof describeRun>>;

/**
 * Describes a run. Unlike Temporal's list, the description does not lag.
 *
 * @throws WorkflowNotFoundError
 */
export async function describeRun(client: Client, { workflowId, runId }: RunTarget) {
  const handle = client.workflow.getHandle(workflowId, runId);
  const run = await withReadTimeout(client, () => handle.describe());
  return { ...run, memo: readMemo(run.memo) };
}

/** Describes a run; null without one. */
export function findRun(client: Client, target: RunTarget): Promise<RunDescription | null> {
  return describeRun(client, target).catch(nullIfNotFound);
}

/**
 * Tells whether somebody has requested the cancellation of a run. Old servers do not say, so that
 * it counts as not.
 */
export function isCancelRequested({ raw }: RunDescription): boolean {
  return raw.workflowExtendedInfo?.cancelRequested ?? false;
}
