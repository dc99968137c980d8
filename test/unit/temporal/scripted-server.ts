import { Client, type ConnectionLike } from '@temporalio/client';
import { temporal } from '@temporalio/proto';

const { ListWorkflowExecutionsResponse, GetWorkflowExecutionHistoryResponse } =
  temporal.api.workflowservice.v1;

export type ListRequest = { query: string; pageSize: number; nextPageToken: Uint8Array };
export type HistoryRequest = {
  execution: { runId: string };
  maximumPageSize?: number;
  nextPageToken?: Uint8Array;
};

/** Returns, in the form of `fromObject`, a response to each call that a test expects. */
interface Script {
  list: (request: ListRequest) => object | Promise<object>;
  readHistory?: (request: HistoryRequest) => object | Promise<object>;
}

/** Makes a client of a server that answers by a script. */
export function clientOf({ list, readHistory = () => ({}) }: Script): Client {
  const workflowService = {
    listWorkflowExecutions: async (request: ListRequest) =>
      ListWorkflowExecutionsResponse.fromObject(await list(request)),
    getWorkflowExecutionHistory: async (request: HistoryRequest) =>
      GetWorkflowExecutionHistoryResponse.fromObject(await readHistory(request)),
  };
  const call = (_limit: unknown, work: () => Promise<unknown>) => work();
  const connection = { workflowService, withDeadline: call, withAbortSignal: call };
  return new Client({ connection: connection as unknown as ConnectionLike });
}

/** Makes a run as the list has it: a terminated one, unless `change` says otherwise. */
export function listedRun(runId: string, change: object = {}) {
  return {
    execution: { workflowId: 'live-migration-prep/pair', runId },
    type: { name: 'prepareLiveMigration' },
    status: 'WORKFLOW_EXECUTION_STATUS_TERMINATED',
    startTime: { seconds: Math.floor(Date.now() / 1000) },
    historyLength: 3,
    ...change,
  };
}

/** Makes the error of a call that gRPC rejects. */
export const grpcError = (code: number, message: string) =>
  Object.assign(new Error(message), { code, details: '', metadata: {} });
