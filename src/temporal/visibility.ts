import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { optionalTsToMs } from '@temporalio/common/lib/time';
import { WORKFLOW_TYPES } from '../contract/names';
import { GRPC, findGrpcCode } from './grpc';

const NOT_SUPPORTED = 'use a server and a visibility store that list runs by workflow id, type and status';
const REFUSALS: ReadonlyMap<number | null, string> = new Map([
  [
    GRPC.permissionDenied,
    'grant the permission to list and read workflow runs (ListWorkflowExecutions, in the role "read" of the namespace)',
  ],
  [GRPC.unimplemented, NOT_SUPPORTED],
  [GRPC.invalidArgument, NOT_SUPPORTED],
]);

/** Finds the remedy for a list that Temporal refuses, which no retry fixes; null for any other error. */
export function findListRefusal(error: unknown): string | null {
  return REFUSALS.get(findGrpcCode(error)) ?? null;
}

export function isOpen({ status: { name } }: Pick<WorkflowExecutionInfo, 'status'>): boolean {
  return name === 'RUNNING' || name === 'PAUSED';
}

/** Lists the runs of `prepareLiveMigration` on a task queue: other workers may share the namespace. */
export function listRuns(client: Client, taskQueue: string, ...conditions: string[]) {
  const fields = { WorkflowType: WORKFLOW_TYPES.prepare, TaskQueue: taskQueue };
  return client.workflow.list({ query: visibilityQuery(fields, ...conditions) });
}

/**
 * @param fields such as `WorkflowId`, with values that are not quoted.
 * @param conditions such as `CloseTime IS NULL`.
 */
export function visibilityQuery(
  fields: Readonly<Record<string, string>>,
  ...conditions: readonly string[]
): string {
  const equal = Object.entries(fields).map(([field, value]) => `${field} = ${JSON.stringify(value)}`);
  return [...equal, ...conditions].join(' AND ');
}

export async function readRetentionMs({ workflowService, options: { namespace } }: Client): Promise<number> {
  const { config } = await workflowService.describeNamespace({ namespace });
  return optionalTsToMs(config?.workflowExecutionRetentionTtl) ?? 0;
}
