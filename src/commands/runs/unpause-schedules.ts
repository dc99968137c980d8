import { WORKFLOW_TYPES } from '../../contract/workflows';
import { formatCount } from '../../shared/text';
import type { CommandContext } from '../cli/context';

/** How the note begins that Temporal's server writes when a failed run pauses its schedule. */
const PAUSED_BY_FAILURE = 'paused due to';

/**
 * Unpauses the schedules of the namespace that a failed run paused, and none that a person paused.
 * It can be repeated.
 */
export async function unpauseSchedules({ client, output }: CommandContext): Promise<void> {
  const paused = client.schedule.list({ query: 'TemporalSchedulePaused = true' });
  const scheduleIds: string[] = [];
  for await (const { scheduleId, action, state } of paused) {
    const isOurs = action?.workflowType === WORKFLOW_TYPES.prepareOnSchedule;
    if (isOurs && state.note?.startsWith(PAUSED_BY_FAILURE)) scheduleIds.push(scheduleId);
  }
  for (const scheduleId of scheduleIds) {
    await client.schedule.getHandle(scheduleId).unpause('its runs failed: the cause is removed');
    output.print({ scheduleId }, `unpaused schedule ${scheduleId}`);
  }
  output.say(formatCount(scheduleIds.length, 'schedule'));
}
