import { CommandError } from '../cli/command-error';
import type { CommandContext } from '../cli/context';
import { runBulk, toDelivered, toFailed, type RunOutcome } from '../shared/bulk';
import { follow } from '../shared/follow';
import { checkRequestRemotely, describeMissingWorker } from '../shared/remote-check';
import type { NumberedRequest } from '../shared/request';
import { requireStartable, startOrJoin } from '../shared/start-or-join';

const CHECKS_AT_A_TIME = 5;

/** Skips pairs with an open run or a delivered token, so it can be repeated. */
export async function startMany(
  context: CommandContext,
  requests: readonly NumberedRequest[],
  { wait, dryRun }: { wait: boolean; dryRun: boolean },
): Promise<void> {
  const { client, taskQueue, output } = context;
  const missingWorker = await describeMissingWorker(client, taskQueue);
  if (dryRun && missingWorker !== null) throw new CommandError(missingWorker);
  output.note(missingWorker);
  if (!dryRun) {
    output.setFollowUp(
      'the started runs go on; repeat the command to start the rest; to list runs: live-migration-prep list',
    );
  }

  async function startOne(pair: NumberedRequest): Promise<RunOutcome> {
    if (dryRun) {
      await checkRequestRemotely(context, pair.request, 'it would fail');
      const { open } = await requireStartable(client, pair);
      return open ? toSkipped(open.runId) : { action: 'would start', reason: `into sink ${pair.request.sink}` };
    }
    const { joined, ...run } = await startOrJoin(context, pair);
    const { runId } = run;
    if (wait) return { ...(await follow(client, run).then(toDelivered, toFailed)), runId };
    return joined ? toSkipped(runId) : { action: 'started', reason: `run ${runId}`, runId };
  }

  const concurrency = dryRun ? CHECKS_AT_A_TIME : undefined;
  await runBulk(requests, output, { noun: 'request', concurrency }, startOne);
}

function toSkipped(runId: string): RunOutcome {
  return { action: 'skipped', reason: `a run of an equal request is open (${runId})`, runId };
}
