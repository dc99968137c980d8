import type { Claim } from '../../contract/claims';
import type { PrepareRequest, ValidRequest } from '../../contract/schemas';
import { workflowIdFor, type Pair } from '../../contract/workflow-id';
import { commandLine } from '../../shared/command-line';
import type { CommandContext } from '../cli/context';
import { describeFindings } from '../cli/describe-findings';
import { describeRows, type TableRow } from '../cli/output';
import { MAX_CONCURRENT_CHECKS, createBulk, type RunOutcome } from './bulk';
import { watch } from './follow';
import { followMany, type StartedRun } from './follow-many';
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
 * Starts every request of a file, then follows all runs if `wait` is set. It skips pairs with an
 * open run of an equal request, or with a delivered token, so it can be repeated.
 */
export async function startMany(
  context: CommandContext,
  requests: readonly NumberedRequest[],
  wait?: true,
): Promise<void> {
  const { client, taskQueue, output } = context;
  const bulk = createBulk(output, requests.length, 'request');
  const runs: StartedRun[] = [];
  output.note(await findMissingWorker(client, taskQueue));

  async function startOne(item: NumberedRequest): Promise<RunOutcome | null> {
    output.setFollowUp(
      `lines after ${item.line} were not started; started runs go on;` +
        ` to start the rest, repeat the command`,
    );
    const { runId, joined } = await startOrJoin(context, item.request);
    runs.push({ ...item, runId });
    if (wait) return null;
    return joined ? toSkipped(runId) : { action: 'started', reason: `run ${runId}`, runId };
  }

  /** A run that is followed has no outcome once it is started. */
  function describeRest(count: number): string {
    return wait ? `${runs.length} started, ${count - runs.length} to start` : `${count} to start`;
  }

  await bulk.showProgress(describeRest, () => holdHangUp(() => bulk.forEach(requests, startOne)));
  output.setFollowUp(
    'all runs go on; to follow them again, repeat the command;' +
      ' to list them: live-migration-prep list',
  );
  if (wait) await followMany(context, bulk, runs);
  bulk.printSummary();
}

/** Lets a worker check every request of a file, and says what a start would do. */
export async function dryRunMany(
  context: CommandContext,
  requests: readonly NumberedRequest[],
): Promise<void> {
  const { client, taskQueue, output } = context;
  const bulk = createBulk(output, requests.length, 'request');
  await requireListedWorker(client, taskQueue);

  async function checkOne({ request }: NumberedRequest): Promise<RunOutcome> {
    await checkRequestRemotely(context, request, 'it would fail');
    const { open } = await requireStartable(context, request);
    return open
      ? toSkipped(open.runId)
      : { action: 'would start', reason: `into sink ${request.sink}` };
  }

  await bulk.showProgress(
    (count) => `${count} to check`,
    () => bulk.forEach(requests, checkOne, MAX_CONCURRENT_CHECKS),
  );
  bulk.printSummary();
}

function toSkipped(runId: string): RunOutcome {
  return { action: 'skipped', reason: `a run of an equal request is open (${runId})`, runId };
}

/**
 * Completes short work although the terminal is closed, so that a lost connection leaves all runs
 * started. Then the process ends as it would have.
 */
async function holdHangUp(work: () => Promise<void>): Promise<void> {
  const hangUp = new AbortController();
  const hold = () => hangUp.abort();
  process.on('SIGHUP', hold);
  try {
    await work();
  } finally {
    process.off('SIGHUP', hold);
    if (hangUp.signal.aborted) process.kill(process.pid, 'SIGHUP');
  }
}
