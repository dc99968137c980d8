import type { WorkflowExecutionDescription } from '@temporalio/client';
import { shellWord } from '../../contract/printable';

/**
 * The version to which an operator pinned a run, with the command that unpins it: Temporal gives its tasks to workers of
 * that version only, also when there are none.
 *
 * @returns null when the run is not pinned.
 */
export function describePin({ raw, workflowId }: WorkflowExecutionDescription): string | null {
  const pinned = raw.workflowExecutionInfo?.versioningInfo?.versioningOverride?.pinned?.version;
  if (!pinned?.buildId) return null;
  const version = `${String(pinned.deploymentName)}:${pinned.buildId}`;
  return `the run is pinned to version ${version}: if no worker of it polls, start one, or unpin the run: temporal workflow update-options --workflow-id ${shellWord(workflowId)} --versioning-override-behavior unspecified`;
}
