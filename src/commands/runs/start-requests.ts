import type { Claim } from '../../contract/claims';
import type { ValidRequest } from '../../contract/schemas';
import type { Pair } from '../../contract/workflow-id';
import { commandLine } from '../../shared/command-line';
import { usageError } from '../cli/command-error';
import type { CommandContext } from '../cli/context';
import { describeFindings } from '../cli/describe-findings';
import { describeRows, type TableRow } from '../cli/output';
import { createBulk, type RunOutcome } from './bulk';
import { follow, type FollowedRun } from './follow';
import { checkRequestRemotely, requireListedWorker } from './remote-check';
import type { StartRequest } from './requests-file';
import { requireStartable, startOrJoin } from './start-or-join';
import { findMissingWorker } from './why-stuck';

/**
 * Starts every request, then follows all runs if `wait` is set. It skips pairs with an open run of
 * an equal request; in a file also those with a delivered token, so that it can be repeated.
 */
export async function start(
  context: CommandContext,
  requests: readonly StartRequest[],
  wait?: true,
): Promise<void> {
  const { client, taskQueue, output } = context;
  requireTaskQueue(taskQueue, requests);
  const followIt = describeFollow(requests);
  const bulk = createBulk(output, requests.length, followIt === null ? 'request' : null);
  const runs: FollowedRun[] = [];
  output.note(await findMissingWorker(client, taskQueue));
  output.setFollowUp(
    followIt === null
      ? 'runs that were started go on; to start the rest, and to follow all, repeat the command'
      : `if a run was started, it goes on; ${followIt}`,
  );

  async function startOne(item: StartRequest): Promise<RunOutcome | null> {
    const { runId, joined } = await startOrJoin(context, item.request);
    runs.push({ ...item, runId });
    if (wait) return null;
    const lines = followIt === null ? [] : [followIt];
    if (joined) return { ...toSkipped(runId), lines };
    return { action: 'started', reason: `run ${runId}`, runId, lines };
  }

  /** A run that is followed has no outcome once it is started. */
  function describeRest(count: number): string {
    return wait ? `${runs.length} started, ${count - runs.length} to start` : `${count} to start`;
  }

  await bulk.showProgress(describeRest, () => holdHangUp(() => bulk.forEach(requests, startOne)));
  if (wait) await follow(context, bulk, runs);
  bulk.printSummary();
}

/**
 * Refuses the runs of another task queue, whose workers may have other sinks of the same names:
 * `list` prints those of every queue.
 *
 * @throws CommandError with exit code 2.
 */
function requireTaskQueue(taskQueue: string, requests: readonly StartRequest[]): void {
  const other = requests.find((request) => (request.taskQueue ?? taskQueue) !== taskQueue);
  if (!other) return;
  throw usageError(
    `nothing was started: line ${other.line} is a run of task queue ${other.taskQueue}, not` +
      ` ${taskQueue}: name one of them with --task-queue, to list and to start`,
  );
}

/** Says how to follow the run of a request that options name; null for the requests of a file. */
function describeFollow([first]: readonly StartRequest[]): string | null {
  if (!first || first.line !== undefined) return null;
  return `follow it: ${commandLine('watch', first.workflowId)}`;
}

/** Lets a worker check every request, and says what a start would do. */
export async function dryRunStart(
  context: CommandContext,
  requests: readonly StartRequest[],
): Promise<void> {
  const { output, taskQueue } = context;
  requireTaskQueue(taskQueue, requests);
  const isAlone = describeFollow(requests) !== null;
  const bulk = createBulk(output, requests.length, isAlone ? null : 'request');
  await requireListedWorker(context);

  async function checkOne({ request }: StartRequest): Promise<RunOutcome> {
    const report = await checkRequestRemotely(context, request, 'nothing was started');
    const { open } = await requireStartable(context, request);
    const outcome: RunOutcome = open
      ? toSkipped(open.runId)
      : { action: 'would start', reason: `into sink ${request.sink}` };
    const rows = describeRows(report.request ? describeRequest(report.request) : []);
    return { ...outcome, ...report, lines: [...rows, ...describeFindings(report.findings)] };
  }

  await bulk.showProgress(
    (count) => `${count} to check`,
    () => bulk.forEach(requests, checkOne),
  );
  bulk.printSummary();
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

function toSkipped(runId: string): RunOutcome {
  return { action: 'skipped', reason: 'a run of an equal request is open', runId };
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
