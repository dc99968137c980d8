import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { WORKFLOW_TYPES } from '../contract/names';
import { createBulkRunner, outcomeOf, type Outcome } from './bulk';
import type { Output } from './output';
import { elsewhere, sendRedeliver } from './redeliver';

export interface RedeliverAllOptions {
  taskQueue: string;
  /** Another sink than those of the requests. */
  sink?: string | undefined;
}

/** Delivers, now, the token of every open run of a task queue that is undelivered. */
export async function redeliverAll(
  client: Client,
  { taskQueue, sink }: RedeliverAllOptions,
  output: Output,
): Promise<void> {
  const runs = await undeliveredRuns(client, taskQueue);
  const bulk = createBulkRunner(runs.length, output);
  await bulk.run(runs, (run) => redeliverOne(client, run, sink));
  bulk.finish('undelivered run(s)');
}

interface UndeliveredRun {
  workflowId: string;
  /** Of its request. */
  sink: unknown;
}

async function redeliverOne(client: Client, run: UndeliveredRun, sink: string | undefined): Promise<Outcome> {
  try {
    const outcome = await outcomeOf(sendRedeliver(client, run.workflowId, sink));
    const [note] = outcome.receipt ? elsewhere(outcome.receipt, sink ?? run.sink) : [];
    return note ? { ...outcome, reason: `${note}; ${outcome.reason}` } : outcome;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    return { action: 'left', reason: 'it ended meanwhile' };
  }
}

/** A run says in its memo that it is undelivered, from its first failed round until it ends. */
async function undeliveredRuns(client: Client, taskQueue: string): Promise<UndeliveredRun[]> {
  const query = `WorkflowType = '${WORKFLOW_TYPES.prepare}' AND TaskQueue = ${JSON.stringify(taskQueue)} AND ExecutionStatus = 'Running'`;
  const runs: UndeliveredRun[] = [];
  for await (const { workflowId, memo } of client.workflow.list({ query })) {
    if (memo?.['step'] === 'undelivered') runs.push({ workflowId, sink: memo['sink'] });
  }
  return runs;
}
