import type { ConnectionLike } from '@temporalio/client';
import { msNumberToTs } from '@temporalio/common/lib/time';
import { payloadConverter } from '../../../src/shared/payload-converter';
import { grpcError } from '../../unit/temporal/scripted-server';
import type { Process } from './network';
import type { SimulatedRun } from './run';
import type { SimulatedTemporal } from './temporal';

/*
 * The calls to Temporal that src/ makes, and what they return: as much of it as src/ reads.
 */

const STATUS_CODES = { RUNNING: 1, COMPLETED: 2, FAILED: 3, CANCELLED: 4, TERMINATED: 5 };
const NOT_FOUND = 5;
const RETENTION_MS = 72 * 3_600_000;

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
    <Request>(respond: (request: Request) => object) =>
    async (request: Request) => {
      await process?.awake().catch(() => {
        throw grpcError(NOT_FOUND, 'killed');
      });
      if (temporal.isAway) throw grpcError(temporal.awayStatus, 'Temporal is away');
      return respond(request);
    };
  const workflowService = {
    describeNamespace: serve(() => ({
      config: { workflowExecutionRetentionTtl: msNumberToTs(RETENTION_MS) },
    })),
    describeWorkflowExecution: serve(({ execution }: { execution: Execution }) =>
      describe(find(execution)),
    ),
    getWorkflowExecutionHistory: serve(({ execution }: { execution: Execution }) => ({
      history: { events: find(execution).events },
    })),
    listWorkflowExecutions: serve(({ query }: { query: string }) => ({
      nextPageToken: Buffer.alloc(0),
      executions: temporal.runs
        .filter(({ type, workflowId }) => isListed(query, type, workflowId))
        .filter(({ isListedAsClosed }) => isListedAsClosed || !query.includes('CloseTime'))
        .map((run) => describe(run).workflowExecutionInfo)
        .reverse(),
    })),
    recordActivityTaskHeartbeat: serve(({ taskToken }: { taskToken: Uint8Array }) => {
      const [runId, id, attempt] = Buffer.from(taskToken).toString().split(' ');
      const run = temporal.runs.find((one) => one.runId === runId);
      if (!run?.takeHeartbeat(String(id), Number(attempt))) {
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

function describe(run: SimulatedRun) {
  const pendingActivities = [...run.activities.values()].map((activity) => ({
    activityId: activity.id,
    lastFailure: activity.lastFailure,
    lastStartedTime: activity.startedAtMs === null ? null : msNumberToTs(activity.startedAtMs),
  }));
  const fields = Object.fromEntries(
    Object.entries(run.memo).map(([name, value]) => [name, payloadConverter.toPayload(value)]),
  );
  return {
    pendingActivities,
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
