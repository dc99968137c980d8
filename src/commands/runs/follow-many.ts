import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { listRuns } from '../../temporal/list-runs';
import type { RunRef } from '../../temporal/read-history';
import { findRunState } from '../../temporal/run-state';
import type { CommandContext } from '../cli/context';
import {
  describeCounts,
  toDelivered,
  toFailed,
  type Bulk,
  type BulkItem,
  type RunOutcome,
} from './bulk';
import { lookAt, type Progress } from './follow';
import { findMissingWorker } from './why-stuck';

/** Bounds the calls between two lists: a look makes one or two. */
const MAX_LOOKS = 20;

const MIN_INTERVAL_MS = 1000;
/** The list comes in pages of 50 runs, and a server may take ten pages a second for all clients. */
const INTERVAL_PER_RUN_MS = 10;

export type StartedRun = BulkItem & RunRef;

interface OpenRun {
  run: StartedRun;
  lookedAtMs: number;
  task: string | null;
  /** Null before the first look. */
  progress: Progress | null;
}

/**
 * Follows runs until each has ended or is undelivered. Temporal's list tells which of them to look
 * at; the others take turns, so that the progress has the reason for which most of them wait.
 *
 * @throws the error of a call that did not reach Temporal.
 */
export async function followMany(
  { client, taskQueue, output }: CommandContext,
  bulk: Bulk,
  runs: readonly StartedRun[],
): Promise<void> {
  const open = new Map<string, OpenRun>();
  for (const run of runs) {
    open.set(run.runId, { run, lookedAtMs: 0, task: null, progress: null });
  }

  async function look(openRun: OpenRun): Promise<RunOutcome | null> {
    const { run, task } = openRun;
    const found = await lookAt(client, run, task);
    if ('receipt' in found) return toDelivered(found.receipt);
    const progress = found.progress ?? openRun.progress;
    open.set(run.runId, { run, lookedAtMs: performance.now(), task: found.task, progress });
    return null;
  }

  async function lookAtSome(states: ReadonlyMap<string, string>): Promise<void> {
    // The list may not have the newest runs yet, and no longer has those that have ended.
    const isNews = ({ run }: OpenRun) => states.get(run.runId) !== 'running';
    const inTurn = [...open.values()].sort((a, b) => a.lookedAtMs - b.lookedAtMs);
    const chosen = [...inTurn.filter(isNews), ...inTurn.filter((run) => !isNews(run))];
    const items = chosen.slice(0, MAX_LOOKS).map((openRun) => ({ ...openRun.run, openRun }));
    await bulk.forEach(items, async ({ openRun, runId }) => {
      const outcome = await look(openRun).catch(toFailed);
      if (outcome === null) return null;
      open.delete(runId);
      return { ...outcome, runId };
    });
  }

  await bulk.showProgress(
    () => describeOpen([...open.values()]),
    async () => {
      while (open.size > 0) {
        const states = await readOpenStates(client);
        const before = open.size;
        await lookAtSome(states);
        if (open.size === 0 || before - open.size === MAX_LOOKS) continue;
        const intervalMs = Math.max(MIN_INTERVAL_MS, states.size * INTERVAL_PER_RUN_MS);
        await sleep(intervalMs, undefined, { signal: output.signal });
        output.note(await findMissingWorker(client, taskQueue, 0));
      }
    },
  );
}

/** Reads the states of all open runs, by their run ids. */
async function readOpenStates(client: Client): Promise<Map<string, string>> {
  const states = new Map<string, string>();
  for await (const run of listRuns(client, null, 'CloseTime IS NULL')) {
    states.set(run.runId, findRunState(run));
  }
  return states;
}

/** Describes what runs do, with the commonest reason why they are not further. */
function describeOpen(runs: readonly OpenRun[]): string {
  const steps = new Map<string, number>();
  const reasons = new Map<string, { count: number; attempt: number }>();
  for (const { progress } of runs) {
    const { step = 'started', reason = null, attempt = null } = progress ?? {};
    steps.set(step, (steps.get(step) ?? 0) + 1);
    if (reason === null) continue;
    const known = reasons.get(reason) ?? { count: 0, attempt: 0 };
    reasons.set(reason, {
      count: known.count + 1,
      attempt: Math.max(known.attempt, attempt ?? 0),
    });
  }
  // In the same order each time.
  const counts = describeCounts(new Map([...steps].sort()));
  const [commonest] = [...reasons].sort(([, a], [, b]) => b.count - a.count);
  if (!commonest) return counts;
  const [reason, { attempt }] = commonest;
  return `${counts} (${attempt > 0 ? `attempt ${attempt}: ` : ''}${reason})`;
}
