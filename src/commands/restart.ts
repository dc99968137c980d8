import { WorkflowExecutionAlreadyStartedError, WorkflowFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { FAILURE_TYPES, WORKFLOW_TYPES, type PrepareRequest } from '../contract/names';
import { CommandError, EXIT_CODES } from './command-error';
import type { Output } from './output';
import { findUndeliveredToken, inputOf } from './runs';
import { staticMetadata } from './start';

export interface RestartOptions {
  taskQueue: string;
  /** RFC 3339; runs that failed after it. */
  since: string;
  /** Only runs that ended with this failure type. */
  failure: string;
  dryRun: boolean;
}

/** What becomes of one failed run. */
interface Decision {
  workflowId: string;
  action: 'restarted' | 'would restart' | 'left';
  reason: string;
}

/**
 * Starts failed runs again, once their cause is mended: each with the request it had, under its id. A run whose token
 * exists is left for `redeliver`, and one that has been followed by another is left alone.
 */
export async function restart(client: Client, options: RestartOptions, output: Output): Promise<void> {
  const since = new Date(options.since);
  if (Number.isNaN(since.getTime())) {
    throw new CommandError('--since is not a time: write one such as 2026-11-25T09:00:00Z', EXIT_CODES.usage);
  }
  if (!FAILURE_TYPES.some((type) => type === options.failure)) {
    throw new CommandError(
      `--failure is not a failure type: write one of ${FAILURE_TYPES.join(', ')}`,
      EXIT_CODES.usage,
    );
  }
  // Of this task queue only: other workers may share the namespace, and their cause need not be mended.
  const query = `WorkflowType = '${WORKFLOW_TYPES.prepare}' AND TaskQueue = ${JSON.stringify(options.taskQueue)} AND ExecutionStatus = 'Failed' AND CloseTime > '${since.toISOString()}'`;
  const decisions: Decision[] = [];
  for await (const { workflowId, runId } of client.workflow.list({ query })) {
    const reasonToLeave = await whyLeave(client, workflowId, runId, options.failure);
    const decision: Decision = reasonToLeave
      ? { workflowId, action: 'left', reason: reasonToLeave }
      : await startAgain(client, workflowId, runId, options);
    decisions.push(decision);
    output.say(`${decision.action}  ${workflowId}: ${decision.reason}`);
  }
  const count = decisions.filter(({ action }) => action !== 'left').length;
  output.outcome(
    { decisions },
    `${count} of ${decisions.length} failed run(s) ${options.dryRun ? 'would be ' : ''}restarted`,
  );
}

async function whyLeave(
  client: Client,
  workflowId: string,
  runId: string,
  failure: string,
): Promise<string | null> {
  const newest = await client.workflow.getHandle(workflowId).describe();
  if (newest.runId !== runId) return 'a newer run of this id exists';
  const ending: unknown = await client.workflow
    .getHandle(workflowId, runId)
    .result()
    .catch((error: unknown) => error);
  const cause = ending instanceof WorkflowFailedError ? ending.cause : undefined;
  const type = cause instanceof ApplicationFailure ? cause.type : undefined;
  if (type !== failure) return `it ended with ${type ?? 'another failure'}`;
  return (await findUndeliveredToken(client, workflowId)) ? 'its token exists: redeliver it' : null;
}

async function startAgain(
  client: Client,
  workflowId: string,
  runId: string,
  options: RestartOptions,
): Promise<Decision> {
  const request = (await inputOf(client.workflow.getHandle(workflowId, runId))) as PrepareRequest;
  const reason = `${options.failure} in run ${runId}`;
  if (options.dryRun) return { workflowId, action: 'would restart', reason };
  try {
    await client.workflow.start(WORKFLOW_TYPES.prepare, {
      workflowId,
      taskQueue: options.taskQueue,
      args: [request],
      workflowIdConflictPolicy: 'FAIL',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
      ...staticMetadata(request),
    });
    return { workflowId, action: 'restarted', reason };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return { workflowId, action: 'left', reason: 'somebody else started it again' };
  }
}
