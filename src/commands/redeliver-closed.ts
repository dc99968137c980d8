import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { commandLine } from '../contract/command-line';
import type { PrepareRequest } from '../contract/schemas';
import { CommandError, EXIT_CODES } from './cli/command-error';
import type { CommandContext } from './cli/temporal';
import { type RunRef, readRun } from '../temporal/run-history';
import { isDelivered, isOpen, leftTokens, runsOf, type LeftToken } from './runs/find-runs';
import { refuseForeign } from './runs/refusals';
import { startRun } from './runs/start-run';
import { watch } from './watch';

/**
 * Delivers the token that a closed run left, by a new run of the same id. Nothing is created.
 *
 * @param to instead of the sink and the task queue of the closed run.
 */
export async function redeliverClosed(
  context: CommandContext,
  { workflowId, runId }: RunRef,
  { sink, taskQueue }: { sink: string | undefined; taskQueue: string | undefined },
): Promise<void> {
  const { client, output } = context;
  const { run: closed, request, token, sinksTried } = await tokenLeftBy(client, workflowId, runId);
  const recovered = { ...(request as PrepareRequest), ...(sink && { sink }) };
  output.setFollowUp(`a run may have been started; follow it: ${commandLine('watch', workflowId)}`);
  output.say(`delivering token ${token.deliveryId} of run ${runId} to sink ${recovered.sink}`);
  const run = await startRun(client, {
    workflowId,
    taskQueue: taskQueue ?? closed.taskQueue,
    args: [recovered, { sealedToken: token, sinksTried }],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
  }).catch((error: unknown) => {
    throw error instanceof WorkflowExecutionAlreadyStartedError ? anotherOpen(workflowId) : error;
  });
  await watch(context, run);
}

/** @throws CommandError that says why this run has no token to deliver. */
async function tokenLeftBy(client: Client, workflowId: string, runId: string): Promise<LeftToken> {
  const run = await client.workflow.getHandle(workflowId, runId).describe();
  const refusal = (refused: string, why: string) =>
    new CommandError(`run ${runId} ${why}`, EXIT_CODES.refused, { workflowId, runId, refused });

  refuseForeign(run);
  if (isOpen(run)) throw refusal('open', `is open: ${commandLine('redeliver', workflowId)}`);
  if (isDelivered(run)) throw refusal('delivered', 'delivered its token: there is nothing to deliver');
  const runs = await runsOf(client, workflowId);
  const others = runs.filter((other) => other.runId !== runId);
  const left = (await leftTokens(client, [run, ...others])).find((one) => one.run.runId === runId);
  if (!left) {
    const { token } = await readRun(client, run);
    if (token) throw refusal('delivered', `left token ${token.deliveryId}, which was delivered since`);
    throw refusal('nothingToDeliver', `(${run.status.name}) has no token: there is nothing to deliver`);
  }
  if (runs.some(isOpen)) throw anotherOpen(workflowId);
  return left;
}

function anotherOpen(workflowId: string): CommandError {
  return new CommandError(
    `another run of ${workflowId} is open: wait for it to end, or cancel it`,
    EXIT_CODES.refused,
    { workflowId, refused: 'open' },
  );
}
