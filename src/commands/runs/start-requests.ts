import type { Claim } from '../../contract/claims';
import type { PrepareRequest, ValidRequest } from '../../contract/schemas';
import { workflowIdFor, type Pair } from '../../contract/workflow-id';
import { commandLine } from '../../shared/command-line';
import type { CommandContext } from '../cli/context';
import { describeFindings } from '../cli/describe-findings';
import { describeRows, type TableRow } from '../cli/output';
import { MAX_CONCURRENT_CHECKS, runBulk, toDelivered, toFailed, type RunOutcome } from './bulk';
import { follow, watch } from './follow';
import { checkRequestRemotely, requireListedWorker } from './remote-check';
import type { NumberedRequest } from './requests-file';
import { requireStartable, startOrJoin } from './start-or-join';
import { findMissingWorker } from './why-stuck';

export async function start(
  context: CommandContext,
  request: PrepareRequest,
  wait?: true,
): Promise<void> {
  const { client, output } = context;
  const workflowId = workflowIdFor(request);
  const followIt = `follow it: ${commandLine('watch', workflowId)}`;
  const beforeStart = () => output.setFollowUp(`a run may have been started; ${followIt}`);
  const { joined, runId, taskQueue } = await startOrJoin(context, request, beforeStart);
  output.setFollowUp(`the run goes on; ${followIt}`);
  output.say(`${joined ? 'joined the open run' : 'started'} ${workflowId}`);
  if (wait) return watch(context, { workflowId, runId }, { runId, joined });
  const warning = await findMissingWorker(client, taskQueue);
  const lines = warning === null ? followIt : [warning, followIt];
  output.print({ workflowId, runId, joined, warning: warning ?? undefined }, lines);
}

/** Lets a worker check the request, and says whether a start would start or join a run. */
export async function dryRunStart(context: CommandContext, request: PrepareRequest): Promise<void> {
  const workflowId = workflowIdFor(request);
  const report = await checkRequestRemotely(context, request, 'nothing was started');
  const { open } = await requireStartable(context, request);
  context.output.print({ workflowId, wouldJoin: open !== null, ...report }, [
    `nothing was started; start would ${open ? 'join the open run' : 'start'} ${workflowId}`,
    ...describeRows(report.request ? describeRequest(report.request) : []),
    ...describeFindings(report.findings),
  ]);
}

/** Describes what a run would use; the command has named the organizations and the claims. */
function describeRequest({ credential, accessListIps, sink, warnings }: ValidRequest): TableRow[] {
  const rows = {
    credential: [['credential', credential]],
    accessListIps: [['access list', accessListIps.join(', ') || 'empty']],
    sink: [['sink', sink]],
    warnings: warnings.map((warning) => ['warning', warning]),
  } satisfies Record<Exclude<keyof ValidRequest, keyof Pair | Claim>, TableRow[]>;
  return Object.values(rows).flat();
}

/**
 * Starts every request of a file. It skips pairs with an open run of an equal request, or with a
 * delivered token, so it can be repeated.
 */
export async function startMany(
  context: CommandContext,
  requests: readonly NumberedRequest[],
  { wait, dryRun }: { wait?: true | undefined; dryRun?: true | undefined },
): Promise<void> {
  const { client, taskQueue, output } = context;
  if (dryRun) await requireListedWorker(client, taskQueue);
  else {
    output.note(await findMissingWorker(client, taskQueue));
    output.setFollowUp(
      'started runs go on; repeat the command for the rest; to list runs: live-migration-prep list',
    );
  }

  async function startOne({ request }: NumberedRequest): Promise<RunOutcome> {
    if (dryRun) {
      await checkRequestRemotely(context, request, 'it would fail');
      const { open } = await requireStartable(context, request);
      return open
        ? toSkipped(open)
        : { action: 'would start', reason: `into sink ${request.sink}` };
    }
    const run = await startOrJoin(context, request);
    const { runId } = run;
    if (wait) {
      const outcome = await follow(client, run).then(toDelivered, toFailed);
      return { ...outcome, runId };
    }
    return run.joined ? toSkipped(run) : { action: 'started', reason: `run ${runId}`, runId };
  }

  const concurrency = dryRun ? MAX_CONCURRENT_CHECKS : undefined;
  await runBulk(requests, output, { noun: 'request', concurrency }, startOne);
}

function toSkipped({ runId }: { runId: string }): RunOutcome {
  return { action: 'skipped', reason: `a run of an equal request is open (${runId})`, runId };
}
