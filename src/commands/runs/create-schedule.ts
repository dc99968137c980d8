import {
  ScheduleAlreadyRunning,
  type ScheduleOptions,
  type ScheduleSpec,
} from '@temporalio/client';
import type { PrepareRequest, ScheduledRequest } from '../../contract/schemas';
import { summaryFor, workflowIdFor } from '../../contract/workflow-id';
import { WORKFLOW_TYPES } from '../../contract/workflows';
import { shellQuote } from '../../shared/text';
import { refusalError, usageError } from '../cli/command-error';
import type { CommandContext } from '../cli/context';
import { checkRequestRemotely, requireListedWorker } from './remote-check';

interface ScheduleSettings {
  /** Cron expressions. */
  cron?: string[] | undefined;
  jitter?: number | undefined;
  until?: Date | undefined;
  always?: true | undefined;
}

/** Temporal makes up for a time that it missed by less than this. */
const CATCH_UP_MS = 600_000;

/**
 * Creates a Temporal Schedule of `prepareOnSchedule`, which runs `prepareLiveMigration` under the
 * usual id of the pair. Temporal appends a time to the workflow id of each scheduled run.
 */
export async function createSchedule(
  context: CommandContext,
  request: PrepareRequest,
  options: ScheduleSettings,
): Promise<void> {
  const { client, taskQueue, output } = context;
  const { cron = [], jitter, until, always } = options;
  const scheduleId = workflowIdFor(request);
  const namespace = shellQuote(client.options.namespace);
  await requireListedWorker(context);
  await checkRequestRemotely(context, request, 'no schedule was created');
  const spec: ScheduleSpec = { cronExpressions: cron };
  if (jitter !== undefined) spec.jitter = jitter;
  if (until) spec.endAt = until;
  const scheduledRequest: ScheduledRequest = always ? { request, always } : { request };
  const schedule: ScheduleOptions = {
    scheduleId,
    spec,
    action: {
      type: 'startWorkflow',
      workflowType: WORKFLOW_TYPES.prepareOnSchedule,
      // No pair of organizations has such an id.
      workflowId: `${scheduleId}/schedule`,
      taskQueue,
      args: [scheduledRequest],
      staticSummary: `${summaryFor(scheduledRequest.request)}, if none is in use`,
    },
    // Any other policy would create several tokens, at once or one after another.
    policies: { overlap: 'SKIP', catchupWindow: CATCH_UP_MS, pauseOnFailure: true },
  };
  const handle = await client.schedule.create(schedule).catch((error: unknown) => {
    // The SDK reports a schedule that the server refuses as a TypeError.
    if (error instanceof TypeError) {
      throw usageError(`Temporal rejected the schedule (${error.message}): correct --cron`);
    }
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    throw refusalError(
      `schedule ${scheduleId} exists: to change it, delete it first with:` +
        ` temporal schedule delete --namespace ${namespace} --schedule-id ${scheduleId}`,
      { scheduleId, type: 'ScheduleExists' },
    );
  });
  // `temporal schedule describe` names no run that has ended.
  const query = `TemporalScheduledById = ${JSON.stringify(scheduleId)}`;
  const listRuns = `temporal workflow list --namespace ${namespace} --query ${shellQuote(query)}`;
  const seeRuns = `see its runs: ${listRuns}`;
  output.setFollowUp(`schedule ${scheduleId} was created; ${seeRuns}`);
  // Only the server reads the cron expressions.
  const [nextTime] = (await handle.describe()).info.nextActionTimes;
  if (!nextTime) {
    await handle.delete();
    throw usageError(
      `no time matches --cron${until ? ' before --until' : ''}: correct it;` +
        ' no schedule was created',
    );
  }
  const nextAt = nextTime.toISOString();
  output.print({ scheduleId, nextAt }, [
    `created schedule ${scheduleId}`,
    `next time: ${nextAt}`,
    always
      ? 'it creates a token each time, whether or not one is in use'
      : 'it creates a token when the source is not linked and has no recent token',
    seeRuns,
  ]);
}
