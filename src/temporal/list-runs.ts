import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { readMemo, type RunMemo } from '../contract/schemas';
import { workflowIdFor } from '../contract/workflow-id';
import { WORKFLOW_TYPES } from '../contract/workflows';
import { GRPC, findGrpcCode, findGrpcError, toMs, withReadTimeout } from './grpc';

const NOT_SUPPORTED =
  'use a server and a visibility store that list runs by workflow id, type and status';
const REFUSALS: ReadonlyMap<number | null, string> = new Map([
  [
    GRPC.permissionDenied,
    'grant the permission to list and read workflow runs (ListWorkflowExecutions,' +
      ' in the role "read" of the namespace)',
  ],
  [GRPC.unimplemented, NOT_SUPPORTED],
  [GRPC.invalidArgument, NOT_SUPPORTED],
]);

/**
 * Finds the remedy for a list that Temporal refuses, which no retry fixes; null for any other
 * error.
 */
export function findListRefusal(error: unknown): string | null {
  return REFUSALS.get(findGrpcCode(error)) ?? null;
}

/** The part that is used of a run as Temporal lists or describes it. */
export type RunInfo = Pick<
  WorkflowExecutionInfo,
  'workflowId' | 'runId' | 'type' | 'taskQueue' | 'startTime'
> & {
  historySize?: number | undefined;
  status: Pick<WorkflowExecutionInfo['status'], 'name'>;
  closeTime?: Date | undefined;
  memo: RunMemo;
};

/**
 * Lists the runs of `prepareLiveMigration`.
 *
 * @param taskQueue null for those on every task queue.
 * @param conditions such as `CloseTime IS NULL`.
 */
export function listRuns(client: Client, taskQueue: string | null, ...conditions: string[]) {
  const fields: Record<string, string> = { WorkflowType: WORKFLOW_TYPES.prepare };
  if (taskQueue !== null) fields['TaskQueue'] = taskQueue;
  return listExecutions(client, visibilityQuery(fields, ...conditions));
}

/** Builds the condition of the runs of an Atlas organization, with any source organization. */
export function isOfOrganization(orgId: string): string {
  return `WorkflowId STARTS_WITH '${workflowIdFor({ orgId })}'`;
}

/** Reads for how long Temporal keeps closed runs. */
export async function readRetentionMs(client: Client): Promise<number> {
  const { namespace } = client.options;
  const { config } = await client.workflowService.describeNamespace({ namespace });
  return toMs(config?.workflowExecutionRetentionTtl);
}

/**
 * Fits into a message of 128 MiB even if each run has a memo of 2 MB, the most that a server takes.
 */
const PAGE_SIZE = 50;

/**
 * Lists runs in Temporal's order.
 *
 * @param pageSize the number of runs in a response, 50 at most.
 * @throws the error of Temporal's API that ended the list.
 */
export async function* listExecutions(
  client: Client,
  query: string,
  pageSize = PAGE_SIZE,
): AsyncGenerator<RunInfo> {
  const runs = client.workflow.list({ query, pageSize })[Symbol.asyncIterator]();
  for (;;) {
    const next = await withReadTimeout(client, () => runs.next()).catch((error: unknown) => {
      // The message of the SDK's own error gives no reason.
      throw findGrpcError(error) ?? error;
    });
    if (next.done) return;
    yield toRunInfo(next.value);
  }
}

/**
 * Copies what is used of a run: its `raw` part would keep the whole response in memory, which may
 * have 100 MB.
 */
function toRunInfo(info: WorkflowExecutionInfo): RunInfo {
  const { workflowId, runId, type, taskQueue, status, historySize, startTime, closeTime } = info;
  return {
    workflowId,
    runId,
    type,
    taskQueue,
    status,
    historySize,
    startTime,
    closeTime,
    memo: readMemo(info.memo),
  };
}

/**
 * @param fields such as `WorkflowId`, with values that this function quotes.
 * @param conditions such as `CloseTime IS NULL`.
 */
export function visibilityQuery(
  fields: Readonly<Record<string, string>>,
  ...conditions: readonly string[]
): string {
  const equal = Object.entries(fields).map(
    ([field, value]) => `${field} = ${JSON.stringify(value)}`,
  );
  return [...equal, ...conditions].join(' AND ');
}
