import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { MAX_SINKS_TRIED } from '../../contract/limits';
import type { PrepareRequest } from '../../contract/schemas';
import { commandLine } from '../../shared/command-line';
import { isCancelRequested } from '../../temporal/describe-run';
import { findRunsOfToken } from '../../temporal/earlier-token';
import { readRun, type RunRef } from '../../temporal/read-history';
import { findTokenOf, isOpen } from '../../temporal/run-state';
import { refusalError, type ErrorFacts } from '../cli/command-error';
import type { CommandContext } from '../cli/context';
import { watch } from './follow';
import { requirePrepareRun } from './refusals';
import { startRun } from './start-or-join';

/**
 * Starts a run that delivers the token of a closed run of the same id, and follows it. Nothing is
 * created.
 */
export async function startRecovery(
  context: CommandContext,
  closedRun: RunRef,
  sink?: string,
): Promise<void> {
  const { client, output } = context;
  const { workflowId, runId } = closedRun;
  const { taskQueue, request, recovery } = await readRecoverable(client, closedRun);
  const ownRequest = { ...request, sink: sink ?? request.sink };
  output.setFollowUp(`a run may have been started; follow it: ${commandLine('watch', workflowId)}`);
  const run = await startRun(client, {
    workflowId,
    taskQueue: context.isTaskQueueGiven ? context.taskQueue : taskQueue,
    args: [ownRequest, recovery],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
  }).catch((error: unknown) => {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const redeliver = commandLine('redeliver', workflowId);
    throw refusalError(
      [
        `another run of ${workflowId} is open: wait for it to end, or cancel it`,
        `if it is undelivered, deliver its token: ${redeliver}, with --sink to another sink`,
      ],
      { workflowId, state: 'open' },
    );
  });
  const { deliveryId } = recovery.sealedToken;
  output.say(`delivering token ${deliveryId} of run ${runId} to sink ${ownRequest.sink}`);
  await watch(context, run);
}

/** @throws CommandError when the run has no token to deliver. */
async function readRecoverable(client: Client, { workflowId, runId }: RunRef) {
  const refuse = (facts: ErrorFacts, why: string) =>
    refusalError(`run ${runId} ${why}`, { workflowId, runId, ...facts });

  const run = await requirePrepareRun(client, { workflowId, runId });
  if (isOpen(run)) {
    const why = isCancelRequested(run)
      ? 'is being cancelled: repeat this command once a worker has ended it'
      : `is open: deliver its token with ${commandLine('redeliver', workflowId)}`;
    throw refuse({ state: 'open' }, why);
  }
  const history = await readRun(client, run);
  const { token: sealedToken, request } = history;
  if (findTokenOf(run, history)?.state === 'delivered') {
    throw refuse({ state: 'delivered' }, 'delivered its token: there is nothing to recover');
  }
  if (!sealedToken) {
    throw refuse(
      { type: 'NothingToDeliver' },
      `(${run.status.name}) has no token: there is nothing to recover`,
    );
  }
  const { deliveryId } = sealedToken;
  const runsOfToken = await findRunsOfToken(client, workflowId, deliveryId);
  if (runsOfToken.some(({ state }) => state === 'delivered')) {
    throw refuse({ state: 'delivered' }, `has token ${deliveryId}, which a later run delivered`);
  }
  // Later runs may have tried to recover the token, with other sinks.
  const sinksTried = new Set([history, ...runsOfToken].flatMap((one) => one.sinksTried));
  const { again: _, ...requestFields } = request as PrepareRequest;
  return {
    taskQueue: run.taskQueue,
    request: requestFields,
    recovery: { sealedToken, sinksTried: [...sinksTried].slice(0, MAX_SINKS_TRIED) },
  };
}
