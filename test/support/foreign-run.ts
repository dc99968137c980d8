import type { Client, WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { msToTs } from '@temporalio/common/lib/time';
import { WORKFLOW_TYPES } from '../../src/contract/names';
import { eventually } from './eventually';
import { newOrgId } from './ids';

/** Types of commands in Temporal's API, COMMAND_TYPE_*. */
const [SCHEDULE_ACTIVITY, START_TIMER, COMPLETE] = [1, 3, 4];
const POLL_TIMEOUT_MS = 30_000;

/**
 * Starts a run on a task queue that no worker polls yet, with a history that our workflow would not have made: the
 * workflow task of the worker that takes it fails.
 */
export async function startMismatchedRun(client: Client, taskQueue: string) {
  const options = { workflowId: `mismatched-${newOrgId()}`, taskQueue };
  const handle = await client.workflow.start(WORKFLOW_TYPES.checkWorker, options);
  await completeWorkflowTask(client, taskQueue, {
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum is in no direct dependency
    commandType: START_TIMER,
    startTimerCommandAttributes: { timerId: '1', startToFireTimeout: { nanos: 1_000_000 } },
  });
  return handle;
}

/** One call of an activity. */
export interface Call {
  activity: string;
  args: unknown[];
}

/** Starts a run of another workflow type under a workflow id of ours, as anyone in the namespace can. */
export async function startForeignRun(client: Client, workflowId: string, workflowType = 'foreign') {
  const taskQueue = `foreign-${newOrgId()}`;
  const handle = await client.workflow.start(workflowType, { workflowId, taskQueue });
  return {
    runId: handle.firstExecutionRunId,
    /** Completes the run, as a worker of its own would. */
    async complete(result?: unknown): Promise<void> {
      const completion = { result: { payloads: [defaultPayloadConverter.toPayload(result)] } };
      await completeWorkflowTask(client, taskQueue, {
        // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum is in no direct dependency
        commandType: COMPLETE,
        completeWorkflowExecutionCommandAttributes: completion,
      });
      await handle.result();
    },
    /** Calls activities on a task queue, each once, and returns the result or the failure of each. */
    async call(ofTaskQueue: string, calls: readonly Call[]) {
      const commands = calls.map(({ activity, args }, index): Command => ({
        // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum is in no direct dependency
        commandType: SCHEDULE_ACTIVITY,
        scheduleActivityTaskCommandAttributes: {
          activityId: `${index}`,
          activityType: { name: activity },
          taskQueue: { name: ofTaskQueue },
          input: { payloads: args.map((arg) => defaultPayloadConverter.toPayload(arg)) },
          startToCloseTimeout: msToTs('30s'),
          retryPolicy: { maximumAttempts: 1 },
        },
      }));
      await completeWorkflowTask(client, taskQueue, ...commands);
      const outcomes = await eventually('an outcome of each call', async () => {
        const ended = ((await handle.fetchHistory()).events ?? []).flatMap(outcomeIn);
        return ended.length === calls.length && ended;
      });
      await handle.terminate();
      return outcomes;
    },
  };
}

type Completion = Parameters<Client['workflowService']['respondWorkflowTaskCompleted']>[0];
type Command = NonNullable<Completion['commands']>[number];
type HistoryEvent = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number];

/** Reads what the activity returned or failed with whose end an event is. */
function outcomeIn({
  activityTaskCompletedEventAttributes: completed,
  activityTaskFailedEventAttributes: failed,
}: HistoryEvent): { result?: unknown; type?: string | null | undefined }[] {
  if (failed) return [{ type: failed.failure?.applicationFailureInfo?.type }];
  const [payload] = completed?.result?.payloads ?? [];
  return payload ? [{ result: defaultPayloadConverter.fromPayload(payload) }] : [];
}

/** Takes the next workflow task of a queue, as a worker would, and completes it with these commands. */
async function completeWorkflowTask(
  client: Client,
  taskQueue: string,
  ...commands: Command[]
): Promise<void> {
  const { workflowService, connection } = client;
  const { namespace } = client.options;
  const { taskToken } = await connection.withDeadline(Date.now() + POLL_TIMEOUT_MS, () =>
    workflowService.pollWorkflowTaskQueue({ namespace, taskQueue: { name: taskQueue } }),
  );
  await workflowService.respondWorkflowTaskCompleted({ namespace, taskToken, commands });
}
