import { createInterface } from 'node:readline';
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import { WORKFLOW_TYPES, revocationIdFor } from '../contract/names';
import { shellWord } from '../contract/printable';
import type { RevokeRequest, RevokeResult } from '../contract/schemas';
import { CommandError, EXIT_CODES } from './cli/command-error';
import { failureError } from './cli/endings';
import type { Io } from './cli/output';
import type { CommandContext } from './cli/temporal';
import { noteMissingWorker } from './runs/missing-worker';
import { refuseForeign } from './runs/refusals';

/**
 * Names what is removed, and waits for a confirmation on the terminal.
 *
 * @throws CommandError when it is not confirmed, or there is no terminal.
 */
export async function confirmRevocation(
  orgId: string,
  { stdin, stderr }: Pick<Io, 'stdin' | 'stderr'>,
  signal: AbortSignal,
): Promise<void> {
  const what = `Atlas removes the link of organization ${orgId} and its API key, whichever token made it: this interrupts a running migration of any of its sources`;
  if (!stdin?.isTTY) {
    throw new CommandError(
      [`nothing was removed: there is no terminal to confirm it on, so pass --yes`, what],
      EXIT_CODES.usage,
    );
  }
  stderr.write(`${what}.\nRemove it? [y/N] `);
  for await (const line of createInterface({ input: stdin, signal })) {
    if (/^y(es)?$/i.test(line.trim())) return;
    break;
  }
  throw new CommandError('nothing was removed: it was not confirmed');
}

/** Removes the link of an Atlas organization, with the workflow `revokeLink`, and waits. */
export async function revoke(context: CommandContext, request: RevokeRequest): Promise<void> {
  const { client, output } = context;
  const { orgId } = request;
  const workflowId = revocationIdFor(orgId);
  const { handle, taskQueue } = await startOrJoinRevocation(context, workflowId, request);
  output.setFollowUp(
    `the removal goes on; see how it ends: temporal workflow result --namespace ${shellWord(client.options.namespace)} --workflow-id ${workflowId}`,
  );
  await noteMissingWorker(client, taskQueue, output);
  const result: RevokeResult = await handle.result().catch((error: unknown) => {
    throw error instanceof WorkflowFailedError ? revocationFailed(error.cause, workflowId) : error;
  });
  const { outcome, credential, finishedAt } = result;
  output.print({ workflowId, ...result }, [
    outcome === 'removed'
      ? `removed the link of organization ${orgId} and its API key, at ${finishedAt} with credential ${credential}`
      : `organization ${orgId} has no link: there was none, or an earlier attempt, whose response was lost, removed it`,
  ]);
}

async function startOrJoinRevocation(
  { client, taskQueue, output }: CommandContext,
  workflowId: string,
  request: RevokeRequest,
): Promise<{ handle: WorkflowHandle<() => Promise<RevokeResult>>; taskQueue: string }> {
  try {
    const started = await client.workflow.start(WORKFLOW_TYPES.revokeLink, {
      workflowId,
      taskQueue,
      args: [request],
      workflowIdConflictPolicy: 'FAIL',
    });
    output.say(`started ${workflowId}`);
    return { handle: started, taskQueue };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const open = await client.workflow.getHandle(workflowId).describe();
    refuseForeign(open, WORKFLOW_TYPES.revokeLink);
    output.say(`joined the open ${workflowId}`);
    return { handle: client.workflow.getHandle(workflowId, open.runId), taskQueue: open.taskQueue };
  }
}

function revocationFailed(cause: Error | undefined, workflowId: string): CommandError {
  const known = failureError(cause, workflowId);
  if (known) return known;
  const exitCode = cause instanceof CancelledFailure ? EXIT_CODES.cancelled : EXIT_CODES.failed;
  const message = `${workflowId} ended without a result (${cause?.message ?? 'unknown'}): the link may be removed`;
  return new CommandError(message, exitCode, { workflowId });
}
