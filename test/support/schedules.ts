import type { ScheduleHandle, WorkflowHandle } from '@temporalio/client';
import type { ScheduledRequest, ScheduledResult } from '../../src/contract/schemas';
import { WORKFLOW_TYPES } from '../../src/contract/workflows';
import { cleanUpLater } from './clean-up';
import { newOrgId } from './ids';
import { sharedTemporal } from './temporal';

export type ScheduledRun = WorkflowHandle<(input: ScheduledRequest) => Promise<ScheduledResult>>;

/**
 * Starts `prepareOnSchedule`, as a schedule does.
 *
 * @param args one scheduled request, unless it is to be malformed.
 */
export async function startScheduled(taskQueue: string, ...args: unknown[]): Promise<ScheduledRun> {
  const { client } = await sharedTemporal();
  const options = { workflowId: `scheduled-${newOrgId()}`, taskQueue, args };
  return client.workflow.start(WORKFLOW_TYPES.prepareOnSchedule, options);
}

/** Runs `prepareOnSchedule` at an interval, such as `2s`; gone after the last test. */
export async function runEvery(
  interval: `${number}s`,
  taskQueue: string,
  input: ScheduledRequest,
): Promise<ScheduleHandle> {
  const { client } = await sharedTemporal();
  const scheduleId = `live-migration-prep/${newOrgId()}`;
  const schedule = await client.schedule.create({
    scheduleId,
    spec: { intervals: [{ every: interval }] },
    policies: { overlap: 'SKIP', catchupWindow: '1m', pauseOnFailure: true },
    action: {
      type: 'startWorkflow',
      workflowType: WORKFLOW_TYPES.prepareOnSchedule,
      workflowId: scheduleId,
      taskQueue,
      args: [input],
    },
  });
  cleanUpLater(() => schedule.delete());
  return schedule;
}
