import { ScheduleAlreadyRunning, ScheduleOverlapPolicy, type Client } from '@temporalio/client';
import { WORKFLOW_TYPES, workflowIdFor, type PrepareRequest } from '../contract/names';
import { CommandError, EXIT_CODES } from './command-error';
import type { Output } from './output';
import { staticMetadata } from './start';

export interface ScheduleOptions {
  taskQueue: string;
  scheduleId?: string;
  cron?: string[];
  timezone?: string;
}

/**
 * Creates a Temporal Schedule of this job. While one of its runs is under way the next is skipped. Its runs carry the
 * time behind the workflow id, so they do not exclude a run that is started on demand.
 */
export async function createSchedule(
  client: Client,
  request: PrepareRequest,
  { taskQueue, cron = [], timezone, ...options }: ScheduleOptions,
  output: Output,
): Promise<void> {
  if (cron.length === 0)
    throw new CommandError('say when: --cron "0 6 * * 1" (repeatable)', EXIT_CODES.usage);
  const workflowId = workflowIdFor(request.orgId, request.sourceOrgId);
  const scheduleId = options.scheduleId ?? workflowId;
  try {
    await client.schedule.create({
      scheduleId,
      spec: { cronExpressions: cron, ...(timezone && { timezone }) },
      action: {
        type: 'startWorkflow',
        workflowType: WORKFLOW_TYPES.prepare,
        workflowId,
        taskQueue,
        args: [request],
        ...staticMetadata(request),
      },
      policies: { overlap: ScheduleOverlapPolicy.SKIP },
    });
  } catch (error) {
    // The SDK's word for a schedule that the server finds wrong.
    if (error instanceof TypeError) {
      throw new CommandError(
        `Temporal takes no such schedule (${error.message}): correct --cron or --timezone`,
        EXIT_CODES.usage,
      );
    }
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    throw new CommandError(
      `there is a schedule ${scheduleId}: change it with Temporal's own CLI or UI, or name --schedule-id`,
    );
  }
  output.outcome(
    { scheduleId },
    `created schedule ${scheduleId}; see it with: temporal schedule describe --schedule-id ${scheduleId}`,
  );
}
