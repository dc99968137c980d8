import type { ScheduleHandle } from '@temporalio/client';
import { WORKFLOW_TYPES } from '../../contract/workflows';
import { formatCount } from '../../shared/text';
import type { CommandContext } from '../cli/context';

/** How the note begins that Temporal's server writes when a failed run pauses its schedule. */
const PAUSED_BY_FAILURE = 'paused due to';

/** Pauses every schedule of the namespace that is not paused. It can be repeated. */
export async function pauseSchedules(context: CommandContext, reason: string): Promise<void> {
  await changeSchedules(context, 'paused', {
    matches: ({ paused }) => !paused,
    change: (schedule) => schedule.pause(reason),
  });
}

/**
 * Unpauses the schedules of the namespace that were paused with a reason; without one, those that a
 * failed run paused. It can be repeated.
 */
export async function unpauseSchedules(context: CommandContext, reason?: string): Promise<void> {
  await changeSchedules(context, 'unpaused', {
    matches: ({ paused, note = '' }) =>
      paused && (reason === undefined ? note.startsWith(PAUSED_BY_FAILURE) : note === reason),
    change: (schedule) => schedule.unpause('unpaused by live-migration-prep'),
  });
}

interface Change {
  matches: (state: { paused: boolean; note?: string }) => boolean;
  change: (schedule: ScheduleHandle) => Promise<void>;
}

/** Changes the schedules of `prepareOnSchedule` that match. */
async function changeSchedules(
  { client, output }: CommandContext,
  done: string,
  { matches, change }: Change,
): Promise<void> {
  const scheduleIds: string[] = [];
  for await (const { scheduleId, action, state } of client.schedule.list()) {
    const isOurs = action?.workflowType === WORKFLOW_TYPES.prepareOnSchedule;
    if (isOurs && matches(state)) scheduleIds.push(scheduleId);
  }
  for (const scheduleId of scheduleIds) {
    await change(client.schedule.getHandle(scheduleId));
    output.print({ scheduleId }, `${done} schedule ${scheduleId}`);
  }
  output.say(formatCount(scheduleIds.length, 'schedule'));
}
