import { Client, type ConnectionLike } from '@temporalio/client';

export interface ListRequest {
  query: string;
  pageSize: number;
  nextPageToken: Uint8Array;
}
interface HistoryRequest {
  execution: { runId: string };
  maximumPageSize?: number;
  nextPageToken?: Uint8Array;
}

interface RunRequest {
  execution: { workflowId: string; runId: string };
}

/** Returns what a test needs of the response to each call. */
interface Script {
  list?: (request: ListRequest) => object | Promise<object>;
  readHistory?: (request: HistoryRequest) => object | Promise<object>;
  recordHeartbeat?: (request: { taskToken: Uint8Array }) => object | Promise<object>;
  describe?: (request: RunRequest) => object | Promise<object>;
  query?: (request: RunRequest) => object | Promise<object>;
}

/** Creates a client of a server that answers by a script. */
export function clientOf({
  list = () => ({}),
  readHistory = () => ({}),
  recordHeartbeat,
  describe = () => ({}),
  query = () => ({}),
}: Script): Client {
  const workflowService = {
    listWorkflowExecutions: async (request: ListRequest) => ({
      nextPageToken: Buffer.alloc(0),
      ...(await list(request)),
    }),
    recordActivityTaskHeartbeat: async (request: { taskToken: Uint8Array }) =>
      recordHeartbeat?.(request),
    getWorkflowExecutionHistory: async (request: HistoryRequest) => readHistory(request),
    describeNamespace: () =>
      Promise.resolve({ config: { workflowExecutionRetentionTtl: { seconds: 3600 } } }),
    queryWorkflow: async (request: RunRequest) => query(request),
    describeWorkflowExecution: async (request: RunRequest) => ({
      workflowExecutionInfo: listedRun('run', { status: STATUS.running }),
      ...(await describe(request)),
    }),
  };
  const call = (_limit: unknown, work: () => Promise<unknown>) => work();
  const connection = { workflowService, withDeadline: call, withAbortSignal: call };
  return new Client({ connection: connection as unknown as ConnectionLike });
}

/**
 * Builds a timestamp of Temporal's API, all of it in its nanoseconds: its seconds are not a
 * plain number.
 */
export const timestamp = (ms: number) => ({ nanos: ms * 1e6 + 1000 });

/** Numbers of Temporal's API, WORKFLOW_EXECUTION_STATUS_*. */
export const STATUS = { running: 1, completed: 2, terminated: 5 };

/** Creates a run as the list has it: a terminated one, unless `change` says otherwise. */
export function listedRun(runId: string, change: object = {}) {
  return {
    execution: { workflowId: 'live-migration-prep/pair', runId },
    type: { name: 'prepareLiveMigration' },
    taskQueue: 'prep',
    status: STATUS.terminated,
    historyLength: { toNumber: () => 1 },
    startTime: timestamp(Date.now()),
    ...change,
  };
}

/** Builds the error of a call that gRPC rejects. */
export const grpcError = (code: number, message: string) =>
  Object.assign(new Error(message), { code, details: '', metadata: { get: () => [] } });
