import type { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { msToTs } from '@temporalio/common/lib/time';
import { WORKFLOW_TYPES } from '../../src/contract/workflows';
import { newOrgId } from './ids';

/** Types of commands in Temporal's API, COMMAND_TYPE_*. */
const [START_TIMER, COMPLETE] = [3, 4];
const POLL_TIMEOUT_MS = 30_000;

interface MismatchedRun {
  workflowType?: string;
  workflowId?: string;
  memo?: Record<string, unknown>;
  /** Time until the next workflow task is due. Before it the run is idle. */
  timerMs?: number;
}

/**
 * Starts a run on a task queue that no worker polls yet, with a history that our workflow would not
 * have made: the workflow task of the worker that takes it fails.
 */
export async function startMismatchedRun(
  client: Client,
  taskQueue: string,
  options: MismatchedRun = {},
) {
  const { workflowType = WORKFLOW_TYPES.checkWorker, memo = {}, timerMs = 1 } = options;
  const { workflowId = `mismatched-${newOrgId()}` } = options;
  const handle = await client.workflow.start(workflowType, { workflowId, taskQueue, memo });
  await completeWorkflowTask(client, taskQueue, START_TIMER, {
    startTimerCommandAttributes: { timerId: '1', startToFireTimeout: msToTs(timerMs) },
  });
  return handle;
}

/**
 * Starts a run under a workflow id of the job, as anyone in the namespace can, by default of
 * another workflow type.
 */
export async function startForgedRun(client: Client, workflowId: string, workflowType = 'other') {
  const taskQueue = `forged-${newOrgId()}`;
  const handle = await client.workflow.start(workflowType, { workflowId, taskQueue });
  return {
    runId: handle.firstExecutionRunId,
    /** Completes the run, as a worker would. */
    async complete(result?: unknown): Promise<void> {
      const completion = { result: { payloads: [defaultPayloadConverter.toPayload(result)] } };
      await completeWorkflowTask(client, taskQueue, COMPLETE, {
        completeWorkflowExecutionCommandAttributes: completion,
      });
      await handle.result();
    },
  };
}

type Completion = Parameters<Client['workflowService']['respondWorkflowTaskCompleted']>[0];

/**
 * Takes the next workflow task of a queue, as a worker would, and completes it with one command.
 */
async function completeWorkflowTask(
  { workflowService, connection, options: { namespace } }: Client,
  taskQueue: string,
  commandType: number,
  attributes: NonNullable<Completion['commands']>[number],
): Promise<void> {
  const { taskToken } = await connection.withDeadline(Date.now() + POLL_TIMEOUT_MS, () =>
    workflowService.pollWorkflowTaskQueue({ namespace, taskQueue: { name: taskQueue } }),
  );
  const commands = [{ ...attributes, commandType }];
  await workflowService.respondWorkflowTaskCompleted({ namespace, taskToken, commands });
}
