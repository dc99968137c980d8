import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { MAX_MESSAGE_LENGTH } from '../contract/limits';
import { cutAndEscape } from '../shared/text';
import { nullIfNotFound, withReadTimeout } from './grpc';
import type { RunRef } from './read-history';

/** Allows for Signals and Updates that arrived since the task failed. */
const NEWEST_EVENTS = 10;

type Description = RunRef & Pick<WorkflowExecutionDescription, 'raw'>;

/** Tells whether Temporal has given the present workflow task of a run to workers before. */
export function isWorkflowTaskRetried({ raw }: Description): boolean {
  return (raw.pendingWorkflowTask?.attempt ?? 0) > 1;
}

/** A clause that says why a workflow task is not completed. */
export interface TaskProblem {
  description: string;
  /**
   * True when a worker refused the task. One that was killed sent nothing, and another may complete
   * the task.
   */
  isFailure: boolean;
}

/**
 * Finds out why Temporal gives the workflow task of a run to workers again and again; null while it
 * does not.
 *
 * @param run as Temporal describes it.
 */
export async function findTaskProblem(
  client: Client,
  run: Description,
): Promise<TaskProblem | null> {
  if (!isWorkflowTaskRetried(run)) return null;
  const { workflowId, runId } = run;
  // The history has only the first failure of a series.
  for (const event of await readNewestEvents(client, { workflowId, runId })) {
    const failedTask = event.workflowTaskFailedEventAttributes;
    if (failedTask) {
      const reason = failedTask.failure?.message ?? 'the history has no reason';
      return {
        isFailure: true,
        description: `its workflow task fails: ${cutAndEscape(reason, MAX_MESSAGE_LENGTH)}`,
      };
    }
    if (event.workflowTaskTimedOutEventAttributes) {
      const cause = 'a worker took it and sent no result, as when it is killed or overloaded';
      return { isFailure: false, description: `its workflow task timed out: ${cause}` };
    }
  }
  return { isFailure: false, description: 'its workflow task keeps being retried' };
}

async function readNewestEvents(client: Client, execution: { workflowId: string; runId: string }) {
  const { namespace } = client.options;
  const request = { namespace, execution, maximumPageSize: NEWEST_EVENTS };
  const requestPage = () => client.workflowService.getWorkflowExecutionHistoryReverse(request);
  const page = await withReadTimeout(client, requestPage).catch(nullIfNotFound);
  return page?.history?.events ?? [];
}
