import type { Client } from '@temporalio/client';
import pMap from 'p-map';
import type { PrepareRequest } from '../../contract/schemas';
import { workflowIdFor } from '../../contract/workflow-id';
import { validateFields } from '../../requests/validate-fields';
import { formatCount } from '../../shared/text';
import { readRun } from '../../temporal/read-history';
import type { CommandContext } from '../cli/context';
import { readListedRuns, type ListedRun, type ListOptions } from './read-runs';

const READ_CONCURRENCY = 20;

/**
 * Prints the request of the newest listed run of each workflow id, on the task queue on which
 * `start --from` starts it. Each keeps an `again` that names a run. It prints all at the end, so
 * that a list that fails half-way prints nothing that a pipe would start.
 */
export async function printRequests(context: CommandContext, options: ListOptions): Promise<void> {
  const { client, taskQueue, output } = context;
  const newestRuns = new Map<string, ListedRun>();
  let onOtherQueues = 0;
  for await (const run of readListedRuns(context, options)) {
    if (run.taskQueue !== taskQueue) onOtherQueues += 1;
    else if (!newestRuns.has(run.workflowId)) newestRuns.set(run.workflowId, run);
  }
  const readRunRequest = (run: ListedRun) => readStartable(client, run);
  const candidates = await pMap(newestRuns.values(), readRunRequest, {
    concurrency: READ_CONCURRENCY,
  });
  const requests = candidates.filter((request) => request !== null);
  for (const request of requests) output.print(request, JSON.stringify(request));
  const omitted = newestRuns.size - requests.length;
  if (omitted > 0) {
    output.note(
      `left out ${formatCount(omitted, 'run')}: the request is not valid, or the history is gone`,
    );
  }
  if (onOtherQueues > 0) {
    output.note(
      `left out ${formatCount(onOtherQueues, 'run')} on other task queues: for those,` +
        ' give --task-queue to list and to start',
    );
  }
}

/** Reads the request that repeats a run; null if it is not valid, or that of another pair. */
async function readStartable(client: Client, run: ListedRun): Promise<PrepareRequest | null> {
  const { request: input } = await readRun(client, run);
  const { again, ...others } = input as PrepareRequest;
  // `true` would permit one more token each time.
  const request = again === true ? others : { ...others, again };
  if (validateFields(request).problems.length > 0) return null;
  return workflowIdFor(request) === run.workflowId ? request : null;
}
