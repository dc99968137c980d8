import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { commandLine } from '../contract/command-line';
import { WORKFLOW_TYPES } from '../contract/names';
import type { PrepareRequest } from '../contract/schemas';
import { CommandError, EXIT_CODES, type ExitCode } from './cli/command-error';
import type { Output } from './cli/output';
import { readRun } from './runs/run-history';
import { isDelivered, isOpen, isOurs, leftTokens, runsOf, type LeftToken } from './runs/find-runs';
import { startRun } from './runs/start-run';
import { watch } from './watch';

/** Delivers the token that the closed run `runId` left, by a new run of the same id. Nothing is created. */
export async function recover(
  client: Client,
  workflowId: string,
  { taskQueue, runId, sink }: { taskQueue: string; runId: string; sink: string | undefined },
  output: Output,
): Promise<void> {
  const { request, token, sinksTried } = await tokenLeftBy(client, workflowId, runId);
  const recovered = { ...(request as PrepareRequest), ...(sink && { sink }) };
  output.say(`delivering token ${token.deliveryId} of run ${runId} to sink ${recovered.sink}`);
  const run = await startRun(client, {
    workflowId,
    taskQueue,
    args: [recovered, { sealedToken: token, sinksTried }],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
  }).catch((error: unknown) => {
    throw error instanceof WorkflowExecutionAlreadyStartedError ? anotherOpen(workflowId) : error;
  });
  await watch(client, run, output);
}

/** @throws CommandError that says why this run has no token to deliver. */
async function tokenLeftBy(client: Client, workflowId: string, runId: string): Promise<LeftToken> {
  const run = await client.workflow.getHandle(workflowId, runId).describe();
  const refuse = (why: string, exitCode: ExitCode = EXIT_CODES.failed) =>
    new CommandError(`run ${runId} ${why}`, exitCode, { workflowId, runId });

  if (!isOurs(run)) {
    const { prepare } = WORKFLOW_TYPES;
    throw refuse(`is a run of workflow ${run.type}, not of ${prepare}: it holds no token of ours`);
  }
  if (isOpen(run)) {
    throw refuse(`is open: ${commandLine('redeliver', workflowId)}`, EXIT_CODES.refused);
  }
  if (isDelivered(run)) throw refuse('delivered its token: there is nothing to deliver', EXIT_CODES.refused);
  const history = await readRun(client, run);
  if (!history.token) throw refuse(`(${run.status.name}) has no token: there is nothing to deliver`);
  const runs = await runsOf(client, workflowId);
  if (runs.some(isOpen)) throw anotherOpen(workflowId);
  const left = (await leftTokens(client, [...runs.filter((other) => other.runId !== runId), run])).some(
    ({ token }) => token.deliveryId === history.token?.deliveryId,
  );
  if (!left) {
    throw refuse(`left token ${history.token.deliveryId}, which was delivered since`, EXIT_CODES.refused);
  }
  return { ...history, token: history.token, run };
}

function anotherOpen(workflowId: string): CommandError {
  return new CommandError(
    `another run of ${workflowId} is open: wait for it to end, or cancel it`,
    EXIT_CODES.refused,
    { workflowId },
  );
}
