import type { WorkflowExecutionDescription } from '@temporalio/client';
import { shellWord } from '../../contract/printable';

/**
 * What an operator paused in a run, with the command that ends the pause: Temporal times out nothing that is paused, so
 * when the worker of a paused attempt is lost, neither a redelivery nor a cancellation ends the wait for it.
 *
 * @returns null when nothing is paused.
 */
export function describePause({ raw, status, workflowId }: WorkflowExecutionDescription): string | null {
  const id = `--workflow-id ${shellWord(workflowId)}`;
  if (status.name === 'PAUSED') return `the run is paused; unpause it: temporal workflow unpause ${id}`;
  const paused = raw.pendingActivities?.find((activity) => activity.paused);
  if (!paused) return null;
  return `${paused.activityType?.name} is paused; unpause it: temporal activity unpause ${id} --activity-id ${paused.activityId}`;
}
