import { ScheduleAlreadyRunning, ScheduleOverlapPolicy, type ScheduleHandle } from '@temporalio/client';
import { WORKFLOW_TYPES, workflowIdFor } from '../contract/names';
import type { PrepareRequest, ScheduledRequest } from '../contract/schemas';
import { shellQuote } from '../shared/text';
import { CommandError, EXIT_CODES } from './cli/command-error';
import type { ScheduleOptions } from './cli/options';
import type { CommandContext } from './cli/temporal';
import { checkRequestRemotely } from './runs/check-worker';

/** Temporal makes up for a time that it missed by less than this. */
const CATCH_UP_MS = 600_000;

/**
 * Creates a Temporal Schedule of `prepareOnSchedule`, which runs `prepareLiveMigration` under the usual id of the pair.
 * Temporal appends a time to the workflow id of each scheduled run.
 */
export async function createSchedule(
  context: CommandContext,
  request: PrepareRequest,
  { cron, timezone, jitter: jitterMs, until, note, always, ...options }: ScheduleOptions,
): Promise<void> {
  const { client, taskQueue, output } = context;
  const workflowId = workflowIdFor(request.orgId, request.sourceOrgId);
  const scheduleId = options.scheduleId ?? workflowId;
  await checkRequestRemotely(context, request, 'no schedule was created');
  const args: [ScheduledRequest] = [{ request, ...(always && { always }) }];
  let schedule: ScheduleHandle;
  try {
    schedule = await client.schedule.create({
      scheduleId,
      spec: {
        cronExpressions: cron,
        ...(timezone && { timezone }),
        ...(jitterMs !== undefined && { jitter: jitterMs }),
        ...(until && { endAt: until }),
      },
      action: {
        type: 'startWorkflow',
        workflowType: WORKFLOW_TYPES.prepareOnSchedule,
        // No pair of organizations has such an id.
        workflowId: `${workflowId}/schedule`,
        taskQueue,
        args,
      },
      // Any other policy would create several tokens, at once or one after another.
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP_MS, pauseOnFailure: true },
      ...(note && { state: { note } }),
    });
  } catch (error) {
    // The SDK reports a schedule that the server refuses as a TypeError.
    if (error instanceof TypeError) {
      throw new CommandError(
        `Temporal rejected the schedule (${error.message}): correct --cron or --timezone`,
        EXIT_CODES.usage,
      );
    }
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    throw new CommandError(
      `schedule ${scheduleId} exists: to change it, delete it first with:` +
        ` temporal schedule delete --schedule-id ${shellQuote(scheduleId)}; or name another with --schedule-id`,
      EXIT_CODES.refused,
      { scheduleId, refused: 'scheduleExists' },
    );
  }
  const seeIt = `temporal schedule describe --schedule-id ${shellQuote(scheduleId)}`;
  output.setFollowUp(`schedule ${scheduleId} was created; see it: ${seeIt}`);
  // Only the server reads the cron expressions.
  const [nextTime] = (await schedule.describe()).info.nextActionTimes;
  if (!nextTime) {
    await schedule.delete();
    throw new CommandError(
      `no time matches --cron${until ? ' before --until' : ''}: correct it; no schedule was created`,
      EXIT_CODES.usage,
    );
  }
  const nextAt = nextTime.toISOString();
  output.print({ scheduleId, nextAt }, [
    `created schedule ${scheduleId}`,
    `next time: ${nextAt}`,
    always
      ? 'it creates a token each time, whether or not one is in use'
      : 'it creates a token when the source is not linked and has no recent token',
    `see it and its runs: ${seeIt}`,
  ]);
}
