import type { ScheduleHandle } from '@temporalio/client';
import { WORKFLOW_TYPES } from '../../contract/workflows';
import { formatCount } from '../../shared/text';
import type { CommandContext } from '../cli/context';

/** How the note begins that Temporal's server writes when a failed run pauses its schedule. */
const PAUSED_BY_FAILURE = 'paused due to';

/** Pauses every schedule of the namespace that is not paused. It can be repeated. */
export async function pauseSchedules(context: CommandContext, reason: string): Promise<void> {
  await changeSchedules(context, 'paused', {
    reason,
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
    reason,
    matches: ({ paused, note = '' }) =>
      paused && (reason === undefined ? note.startsWith(PAUSED_BY_FAILURE) : note === reason),
    change: (schedule) => schedule.unpause('unpaused by live-migration-prep'),
  });
}

interface Change {
  reason: string | undefined;
  matches: (state: { paused: boolean; note?: string }) => boolean;
  change: (schedule: ScheduleHandle) => Promise<void>;
}

/**
 * Changes the schedules of `prepareOnSchedule` that match, and says how many it leaves paused for
 * another reason.
 */
async function changeSchedules(
  { client, output }: CommandContext,
  done: string,
  { reason, matches, change }: Change,
): Promise<void> {
  const scheduleIds: string[] = [];
  let left = 0;
  for await (const { scheduleId, action, state } of client.schedule.list()) {
    if (action?.workflowType !== WORKFLOW_TYPES.prepareOnSchedule) continue;
    if (matches(state)) scheduleIds.push(scheduleId);
    else if (state.paused && state.note !== reason) left += 1;
  }
  for (const scheduleId of scheduleIds) {
    await change(client.schedule.getHandle(scheduleId));
    output.print({ scheduleId }, `${done} schedule ${scheduleId}`);
  }
  output.say(formatCount(scheduleIds.length, 'schedule'));
  if (left > 0) {
    output.note(
      `left ${formatCount(left, 'schedule')} paused for another reason:` +
        ' temporal schedule describe shows it, as the note',
    );
  }
}
