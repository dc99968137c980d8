import type { ConnectionLike } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { msNumberToTs } from '@temporalio/common/lib/time';
import { payloadConverter } from '../../../src/shared/payload-converter';
import { grpcError } from '../../unit/temporal/scripted-server';
import type { Process } from './network';
import { decode } from './resolutions';
import type { SimulatedRun } from './run';
import type { SimulatedTemporal } from './temporal';
import type { SimulatedUpdate } from './updates';

/*
 * The calls to Temporal that src/ makes, and what they return: as much of it as src/ reads.
 */

const STATUS_CODES = { RUNNING: 1, COMPLETED: 2, FAILED: 3, CANCELLED: 4, TERMINATED: 5 };
/** Numbers of gRPC, and of Temporal's API. */
const DEADLINE_EXCEEDED = 4;
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const UNAVAILABLE = 14;
const ALLOW_DUPLICATE_FAILED_ONLY = 2;
const CLOSE_EVENT = 2;
const COMPLETED = 3;
const RETENTION_MS = 72 * 3_600_000;

interface StartRequest {
  workflowId: string;
  workflowType: { name: string };
  input: { payloads: Payload[] };
  workflowIdReusePolicy: number;
}
interface UpdateRequest {
  workflowExecution: Execution;
  request: { input: { name: string; args: { payloads: Payload[] } } };
}
interface HistoryRequest {
  execution: Execution;
  historyEventFilterType?: number;
}
interface Execution {
  workflowId: string;
  runId?: string;
}

/** @param process that makes the calls; a killed one gets NOT_FOUND. */
export function createConnection(
  temporal: SimulatedTemporal,
  process?: Pick<Process, 'awake'>,
): ConnectionLike {
  const find = ({ workflowId, runId }: Execution) => {
    const found = runId
      ? temporal.runs.find((run) => run.runId === runId)
      : temporal.newestRun(workflowId);
    if (!found) throw grpcError(NOT_FOUND, 'no such run');
    return found;
  };
  const serve =
    <Request>(respond: (request: Request) => object | Promise<object>) =>
    async (request: Request) => {
      await process?.awake().catch(() => {
        throw grpcError(NOT_FOUND, 'killed');
      });
      if (temporal.isAway) throw grpcError(UNAVAILABLE, 'Temporal is away');
      return await respond(request);
    };
  /** A call that waits until the Update or its run has ended. */
  async function update({ workflowExecution, request }: UpdateRequest): Promise<object> {
    const run = find(workflowExecution);
    const over = grpcError(NOT_FOUND, 'the run is over');
    if (!run.isOpen) throw over;
    const { name, args } = request.input;
    const { outcome, acceptedIn } = await new Promise<SimulatedUpdate>((resolve) =>
      run.update(name, args.payloads.map(decode), resolve),
    );
    if (outcome === null && acceptedIn === null) throw over;
    return {
      stage: COMPLETED,
      updateRef: { workflowExecution: { workflowId: run.workflowId, runId: run.runId } },
      outcome: toOutcome(outcome),
    };
  }

  const workflowService = {
    startWorkflowExecution: serve((request: StartRequest) => {
      const { workflowId, workflowType, input, workflowIdReusePolicy } = request;
      const isDelivered = temporal.newestRun(workflowId)?.status === 'COMPLETED';
      const isRefused = isDelivered && workflowIdReusePolicy === ALLOW_DUPLICATE_FAILED_ONLY;
      const args = input.payloads.map(decode);
      const run = isRefused ? null : temporal.start(workflowType.name, workflowId, args);
      if (!run) throw grpcError(ALREADY_EXISTS, 'already started');
      return { runId: run.runId };
    }),
    updateWorkflowExecution: serve(update),
    queryWorkflow: serve(
      ({ execution, query }: { execution: Execution; query: { queryType: string } }) => {
        const answers = find(execution).answers.map(({ respondToQuery }) => respondToQuery);
        const answer = answers.find((one) => one?.queryId === query.queryType);
        const isAnswered = answer && temporal.workers.living().length > 0;
        if (!isAnswered) throw grpcError(DEADLINE_EXCEEDED, 'no worker responds');
        return { queryResult: { payloads: [answer.succeeded?.response] } };
      },
    ),
    describeTaskQueue: serve(() => ({
      pollers: temporal.workers.living().map(() => ({ lastAccessTime: msNumberToTs(Date.now()) })),
    })),
    describeNamespace: serve(() => ({
      config: { workflowExecutionRetentionTtl: msNumberToTs(RETENTION_MS) },
    })),
    describeWorkflowExecution: serve(({ execution }: { execution: Execution }) =>
      describe(find(execution)),
    ),
    getWorkflowExecutionHistory: serve(({ execution, historyEventFilterType }: HistoryRequest) => {
      const { events } = find(execution);
      return {
        history: { events: historyEventFilterType === CLOSE_EVENT ? events.slice(-1) : events },
      };
    }),
    listWorkflowExecutions: serve(({ query }: { query: string }) => ({
      nextPageToken: Buffer.alloc(0),
      executions: temporal.runs
        .filter(({ type, workflowId }) => isListed(query, type, workflowId))
        .filter((run) => isInState(query, run))
        .map((run) => describe(run).workflowExecutionInfo)
        .reverse(),
    })),
    recordActivityTaskHeartbeat: serve(({ taskToken }: { taskToken: Uint8Array }) => {
      const [runId, id, attempt] = Buffer.from(taskToken).toString().split(' ');
      const run = temporal.runs.find((one) => one.runId === runId);
      if (!run?.activities.get(String(id))?.takeHeartbeat(Number(attempt))) {
        throw grpcError(NOT_FOUND, 'the attempt is over');
      }
      return {};
    }),
  };
  const call = (_limit: unknown, work: () => Promise<unknown>) => work();
  const connection = { workflowService, withDeadline: call, withAbortSignal: call };
  return connection as unknown as ConnectionLike;
}

/** Reads the conditions of src/temporal/list-runs.ts. */
function isListed(query: string, type: string, workflowId: string): boolean {
  const [, id = workflowId] = /WorkflowId = "([^"]+)"/.exec(query) ?? [];
  const [, start = ''] = /STARTS_WITH '([^']+)'/.exec(query) ?? [];
  return query.includes(`"${type}"`) && workflowId === id && workflowId.startsWith(start);
}

function isInState(query: string, { isListedAsClosed, status }: SimulatedRun): boolean {
  if (query.includes("ExecutionStatus = 'Completed'")) {
    return isListedAsClosed && status === 'COMPLETED';
  }
  if (query.includes('CloseTime IS NULL')) return !isListedAsClosed;
  return isListedAsClosed || !query.includes('CloseTime');
}

function toOutcome(outcome: SimulatedUpdate['outcome']): object {
  if (outcome === null) return { failure: { message: 'the run ended before the Update' } };
  if ('failure' in outcome) return outcome;
  return { success: { payloads: [payloadConverter.toPayload(outcome.result)] } };
}

function describe(run: SimulatedRun) {
  const pendingActivities = [...run.activities.values()].map((activity) => ({
    activityId: activity.id,
    activityType: { name: activity.type },
    attempt: activity.number,
    state: activity.startedAtMs === null ? 1 : 2,
    lastFailure: activity.lastFailure,
    lastStartedTime: activity.startedAtMs === null ? null : msNumberToTs(activity.startedAtMs),
  }));
  const fields = Object.fromEntries(
    Object.entries(run.memo).map(([name, value]) => [name, payloadConverter.toPayload(value)]),
  );
  return {
    pendingActivities,
    pendingWorkflowTask: run.isTaskScheduled ? { attempt: 1, state: 2 } : null,
    workflowExtendedInfo: { cancelRequested: run.isCancelRequested },
    workflowExecutionInfo: {
      execution: { workflowId: run.workflowId, runId: run.runId },
      type: { name: run.type },
      taskQueue: 'prep',
      status: STATUS_CODES[run.status],
      historyLength: { toNumber: () => run.events.length },
      startTime: msNumberToTs(run.startMs),
      closeTime: run.closeMs === undefined ? null : msNumberToTs(run.closeMs),
      memo: { fields },
    },
  };
}
