import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import pMap, { pMapSkip } from 'p-map';
import { checkRequest, describeProblems } from '../contract/check-request';
import type { PrepareRequest } from '../contract/schemas';
import { listRuns } from '../temporal/visibility';
import { createBulkRunner, outcomeOf, type RunOutcome } from './runs/bulk';
import type { RestartOptions } from './cli/options';
import type { CommandContext } from './cli/temporal';
import { redeliverClosedCommand } from './runs/refusals';
import { readEnding, readRequest } from '../temporal/run-history';
import { READ_CONCURRENCY, isDelivered, isOpen, leftTokens, runsOf, type Run } from './runs/find-runs';
import { noteMissingWorker } from './runs/missing-worker';
import { startRun } from './runs/start-run';
import { follow } from './runs/follow';

/**
 * Starts failed runs again, once their cause is fixed: each with the request it had, under its id. One goes first; the
 * others follow only if it delivered, since otherwise the cause is still there.
 */
export async function restart(context: CommandContext, options: RestartOptions): Promise<void> {
  const { client, taskQueue, output } = context;
  const runs = await failedRuns(context, options);
  const bulk = createBulkRunner(runs.length, output);
  output.setFollowUp(
    `the restarted runs go on; list them: live-migration-prep list --since ${new Date().toISOString()}`,
  );
  if (runs.length > 0 && !options.dryRun) await noteMissingWorker(client, taskQueue, output);
  const work = (run: Run) => restartOne(context, run, options);
  let first: RunOutcome | undefined;
  if (!options.dryRun) {
    do {
      [first] = await bulk.run(runs.splice(0, 1), work);
    } while (first?.action === 'skipped' || first?.action === 'refused');
  }
  const goOn = options.dryRun || first?.action === 'delivered';
  await bulk.run(runs, goOn ? work : notRestarted);
  bulk.finish(`earlier failure(s) of type ${options.failure} since ${options.since.toISOString()}`);
}

function notRestarted(): Promise<RunOutcome> {
  return Promise.resolve({ action: 'not restarted', reason: 'the first restarted run did not deliver' });
}

/** The newest failed run of each id, of this task queue only: the cause of other workers need not be fixed. */
async function failedRuns(
  { client, taskQueue, output }: CommandContext,
  { since, failure }: RestartOptions,
): Promise<Run[]> {
  const conditions = ["ExecutionStatus = 'Failed'", `CloseTime > '${since.toISOString()}'`];
  const newest = new Map<string, Run>();
  for await (const run of listRuns(client, taskQueue, ...conditions)) {
    const known = newest.get(run.workflowId);
    if (!known || known.startTime < run.startTime) newest.set(run.workflowId, run);
  }
  output.say(`reading the failures of ${newest.size} run(s)`);
  const failedAsNamed = async (run: Run) =>
    (await readEnding(client, run))?.type === failure ? run : pMapSkip;
  return pMap(newest.values(), failedAsNamed, { concurrency: READ_CONCURRENCY });
}

async function restartOne(
  { client, taskQueue }: CommandContext,
  failed: Run,
  { failure, dryRun }: RestartOptions,
): Promise<RunOutcome> {
  const skipped = (reason: string): RunOutcome => ({ action: 'skipped', reason });
  const refused = (why: string, reason: string): RunOutcome => ({ action: 'refused', refused: why, reason });
  const { workflowId, runId } = failed;
  const runs = await runsOf(client, workflowId);
  const [newest] = runs;
  if (newest && newest.runId !== runId) return skipped(describeLater(newest));
  const [token] = await leftTokens(client, runs);
  if (token) {
    return refused(
      'tokenLeft',
      `run ${token.run.runId} left a token; deliver it: ${redeliverClosedCommand(token.run)}`,
    );
  }
  const request = await readRequest(client, failed);
  const { problems } = checkRequest(request);
  if (problems.length > 0) {
    return refused('invalidRequest', `its request is not valid: ${describeProblems(problems)}`);
  }
  if (dryRun) return { action: 'would restart', reason: `${failure} in run ${runId}` };
  try {
    return await outcomeOf(
      startRun(client, {
        workflowId,
        taskQueue,
        args: [request as PrepareRequest],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
      }).then((run) => follow(client, run)),
    );
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return skipped('another caller started a run meanwhile');
  }
}

function describeLater(newest: Run): string {
  if (isOpen(newest)) return `a later run is open (${newest.runId})`;
  if (isDelivered(newest)) return `a later run delivered (${newest.runId})`;
  return `a later run ended ${newest.status.name} (${newest.runId})`;
}
