import type { CommandContext } from '../cli/context';
import { describeDelivery, describeFailure, runBulk, type RunOutcome } from './bulk';
import { describeMissingWorker } from './check-worker';
import { follow } from './follow';
import type { NumberedRequest } from './request';
import { requireStartable, startOrJoin } from './start-or-join';

/**
 * Starts a run for each request, a few at once. It skips pairs with an open run or a delivered token, so it can be
 * repeated.
 */
export async function startMany(
  { client, taskQueue, output }: CommandContext,
  requests: readonly NumberedRequest[],
  { wait, dryRun }: { wait: boolean; dryRun: boolean },
): Promise<void> {
  if (!dryRun) {
    output.note(...(await describeMissingWorker(client, taskQueue)));
    output.setFollowUp(
      'the started runs go on; the same command starts the rest; list runs: live-migration-prep list',
    );
  }

  async function startOne({ workflowId, request }: NumberedRequest): Promise<RunOutcome> {
    if (dryRun) {
      const { open } = await requireStartable(client, workflowId, request, false);
      return open ? describeOpen(open.runId) : { action: 'would start', reason: `into sink ${request.sink}` };
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
