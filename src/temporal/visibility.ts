import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { optionalTsToMs } from '@temporalio/common/lib/time';
import { WORKFLOW_TYPES } from '../contract/names';
import { GRPC, findGrpcCode, findGrpcError } from './grpc';

const LIST_TIMEOUT_MS = 4000;
const REFUSED_CODES: readonly number[] = [GRPC.permissionDenied, GRPC.unauthenticated, GRPC.unimplemented];

/** The reason why Temporal does not list runs. */
interface ListProblem {
  message: string;
  /** True when no retry helps: the permissions or the server have to change. */
  isRefused: boolean;
}

/**
 * Tries the list of runs, which each run of `prepareLiveMigration` needs before it creates a token.
 *
 * @returns null when Temporal lists runs.
 */
export async function findListProblem(client: Client): Promise<ListProblem | null> {
  const { namespace } = client.options;
  const query = visibilityQuery({ WorkflowType: WORKFLOW_TYPES.prepare });
  try {
    await client.withDeadline(Date.now() + LIST_TIMEOUT_MS, () =>
      client.workflowService.listWorkflowExecutions({ namespace, query, pageSize: 1 }),
    );
    return null;
  } catch (error) {
    const code = findGrpcCode(error);
    const reason = findGrpcError(error)?.details || (error as Error).message;
    const isRefused = code !== null && REFUSED_CODES.includes(code);
    return { message: describeListProblem(namespace, reason, isRefused), isRefused };
  }
}

function describeListProblem(namespace: string, reason: string, isRefused: boolean): string {
  const what = `list the runs of namespace ${namespace} (${reason})`;
  return isRefused
    ? `Temporal refuses to ${what}: grant the permission to list workflow executions` +
        ' (ListWorkflowExecutions, in the role "read" of the namespace); without it no run creates a token'
    : `Temporal did not ${what}: check its visibility store and the limit frontend.namespaceRPS.visibility;` +
        ' until it lists runs, new runs wait';
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
 * Builds a query of Temporal's list: each field has its value, and each condition is true.
 *
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

/** Reads how long the namespace keeps closed runs, in milliseconds. */
export async function readRetentionMs({ workflowService, options: { namespace } }: Client): Promise<number> {
  const { config } = await workflowService.describeNamespace({ namespace });
  return optionalTsToMs(config?.workflowExecutionRetentionTtl) ?? 0;
}
