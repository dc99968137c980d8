import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import type { PrepareRequest } from '../contract/schemas';
import { commandLine } from '../shared/command-line';
import { isDelivered } from '../temporal/earlier-token';
import { readRun, type RunRef } from '../temporal/run-history';
import { isOpen } from '../temporal/visibility';
import { CommandError, EXIT_CODES } from './cli/command-error';
import type { CommandContext } from './cli/temporal';
import { refuseForeign } from './runs/refusals';
import { startRun } from './runs/start-or-join';
import { watch } from './watch';

/**
 * Starts a run that delivers the token of a closed run of the same id, and follows it. Nothing is created.
 *
 * @param to replaces the sink and the task queue of the closed run.
 */
export async function recover(
  context: CommandContext,
  { workflowId, runId }: RunRef,
  to: { sink: string | undefined; taskQueue: string | undefined },
): Promise<void> {
  const { client, output } = context;
  const { taskQueue, request, token, sinksTried } = await readRecoverable(client, workflowId, runId);
  const { again: _, ...own } = request;
  const recovered = { ...own, ...(to.sink !== undefined && { sink: to.sink }) };
  output.setFollowUp(`a run may have been started; follow it: ${commandLine('watch', workflowId)}`);
  output.say(`delivering token ${token.deliveryId} of run ${runId} to sink ${recovered.sink}`);
  const run = await startRun(client, {
    workflowId,
    taskQueue: to.taskQueue ?? taskQueue,
    args: [recovered, { sealedToken: token, sinksTried }],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
  }).catch((error: unknown) => {
    throw error instanceof WorkflowExecutionAlreadyStartedError ? anotherOpen(workflowId) : error;
  });
  await watch(context, run);
}

/** @throws CommandError when the run has no token to deliver. */
async function readRecoverable(client: Client, workflowId: string, runId: string) {
  const run = await client.workflow.getHandle(workflowId, runId).describe();
  const refusal = (refused: string, why: string) =>
    new CommandError(`run ${runId} ${why}`, EXIT_CODES.refused, { workflowId, runId, refused });

  refuseForeign(run);
  if (isOpen(run)) throw refusal('open', `is open: ${commandLine('redeliver', workflowId)}`);
  const { token, deliveredId, request, sinksTried } = await readRun(client, run);
  if (run.status.name === 'COMPLETED' || deliveredId !== null)
    throw refusal('delivered', 'delivered its token: there is nothing to recover');
  if (!token)
    throw refusal('nothingToDeliver', `(${run.status.name}) has no token: there is nothing to recover`);
  if (await isDelivered(client, workflowId, token.deliveryId))
    throw refusal('delivered', `has token ${token.deliveryId}, which a later run delivered`);
  if (isOpen(await client.workflow.getHandle(workflowId).describe())) throw anotherOpen(workflowId);
  return { taskQueue: run.taskQueue, request: request as PrepareRequest, token, sinksTried };
}

function anotherOpen(workflowId: string): CommandError {
  return new CommandError(
    `another run of ${workflowId} is open: wait for it to end, or cancel it`,
    EXIT_CODES.refused,
    { workflowId, refused: 'open' },
  );
}
