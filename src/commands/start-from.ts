import { isOpen } from '../temporal/visibility';
import type { StartOptions } from './cli/options';
import type { NumberedRequest } from './cli/request';
import type { CommandContext } from './cli/temporal';
import { describeDelivery, describeFailure, runBulk, type RunOutcome } from './runs/bulk';
import { follow } from './runs/follow';
import { noteMissingWorker } from './runs/missing-worker';
import { requireStartable, startOrJoin } from './runs/start-or-join';

/**
 * Starts a run for each request, a few at once. It skips pairs with an open run or a delivered token, so it can be
 * repeated.
 */
export async function startFrom(
  { client, taskQueue, output }: CommandContext,
  requests: readonly NumberedRequest[],
  { wait, dryRun }: Pick<StartOptions, 'wait' | 'dryRun'>,
): Promise<void> {
  if (!dryRun) {
    await noteMissingWorker(client, taskQueue, output);
    output.setFollowUp(
      'the started runs go on; the same command starts the rest; list runs: live-migration-prep list',
    );
  }

  async function startOne({ workflowId, request }: NumberedRequest): Promise<RunOutcome> {
    if (dryRun) {
      const newest = await requireStartable(client, workflowId, request, false);
      if (newest && isOpen(newest)) return describeOpen(newest.runId);
      return { action: 'would start', reason: `into sink ${request.sink}` };
    }
    const { joined, runId } = await startOrJoin(client, workflowId, request, { taskQueue, again: false });
    if (wait) {
      const outcome = await follow(client, { workflowId, runId }).then(describeDelivery, describeFailure);
      return { ...outcome, runId };
    }
    return joined ? describeOpen(runId) : { action: 'started', reason: `run ${runId}`, runId };
  }

  await runBulk(requests, 'request', output, startOne);
}

function describeOpen(runId: string): RunOutcome {
  return { action: 'skipped', reason: `a run of an equal request is open (${runId})`, runId };
}
