import type { Client } from '@temporalio/client';
import { WORKFLOW_TYPES } from '../contract/names';

/** Runs of `prepareLiveMigration` on a task queue, from the list: other workers may share the namespace. */
export function listRuns(client: Client, taskQueue: string, ...conditions: string[]) {
  const fields = { WorkflowType: WORKFLOW_TYPES.prepare, TaskQueue: taskQueue };
  return client.workflow.list({ query: visibilityQuery(fields, ...conditions) });
}

/**
 * A query of Temporal's list, for runs of which every field has its value and every condition is true.
 *
 * @param fields such as `WorkflowId`, with values as they are.
 * @param conditions such as `CloseTime IS NULL`.
 */
export function visibilityQuery(
  fields: Readonly<Record<string, string>>,
  ...conditions: readonly string[]
): string {
  const equal = Object.entries(fields).map(([field, value]) => `${field} = ${JSON.stringify(value)}`);
  return [...equal, ...conditions].join(' AND ');
}
