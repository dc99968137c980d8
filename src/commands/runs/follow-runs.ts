import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import pMap from 'p-map';
import type { Receipt } from '../../contract/schemas';
import { listRuns } from '../../temporal/list-runs';
import type { RunRef } from '../../temporal/read-history';
import { findRunState } from '../../temporal/run-state';
import { lookAt, type OpenLook } from './look-at';

/** Bounds the calls between two lists: a look makes one or two. */
const MAX_LOOKS = 20;

const FIRST_INTERVAL_MS = 250;
const MAX_INTERVAL_MS = 1000;
/** The list comes in pages of 50 runs, and a server may take ten pages a second for all clients. */
const INTERVAL_PER_RUN_MS = 10;

/** The receipt of a run; or the error of `lookAt`, also for one that is undelivered. */
export type Ending = { receipt: Receipt } | { error: unknown };

interface Callbacks<R> {
  onLook: (run: R, look: OpenLook) => void | Promise<void>;
  /** An error that it throws ends the following. */
  onEnd: (run: R, ending: Ending) => void;
  onPause?: () => Promise<void>;
  signal?: AbortSignal;
}

interface FollowedRun<R> {
  run: R;
  lookedAtMs: number;
  /** The task that the last look saw. */
  task: string | null;
}

/**
 * Follows runs until each has ended or is undelivered. It looks at a single run several times a
 * second. Of many, Temporal's list tells which to look at; the others take turns, so that a few
 * looks show why most of them wait.
 */
export async function followRuns<R extends RunRef>(
  client: Client,
  runs: readonly R[],
  { onLook, onEnd, onPause, signal }: Callbacks<R>,
): Promise<void> {
  const open = new Set(runs.map((run): FollowedRun<R> => ({ run, lookedAtMs: 0, task: null })));

  async function look(followed: FollowedRun<R>): Promise<void> {
    const { run, task } = followed;
    const found = await lookAt(client, run, task).catch((error: unknown) => ({ error }));
    if ('receipt' in found || 'error' in found) {
      open.delete(followed);
      onEnd(run, found);
      return;
    }
    Object.assign(followed, { lookedAtMs: performance.now(), task: found.task });
    await onLook(run, found);
  }

  let intervalMs = FIRST_INTERVAL_MS;
  while (open.size > 0) {
    const before = open.size;
    const { chosen, listed } = await chooseRuns(client, [...open]);
    await pMap(chosen, look, { concurrency: MAX_LOOKS });
    // So many have ended that the next may have, too.
    if (open.size === 0 || before - open.size === MAX_LOOKS) continue;
    await onPause?.();
    const pauseMs = Math.max(intervalMs, listed * INTERVAL_PER_RUN_MS);
    await sleep(pauseMs, undefined, { ...(signal && { signal }) });
    intervalMs = Math.min(intervalMs * 1.2, MAX_INTERVAL_MS);
  }
}

/** Chooses the runs to look at now: first those of which the list has news. */
async function chooseRuns<R extends RunRef>(client: Client, open: readonly FollowedRun<R>[]) {
  if (open.length === 1) return { chosen: open, listed: 0 };
  const states = new Map<string, string>();
  for await (const run of listRuns(client, null, 'CloseTime IS NULL')) {
    states.set(run.runId, findRunState(run));
  }
  // The list may not have the newest runs yet, and no longer has those that have ended.
  const isNews = ({ run }: FollowedRun<R>) => states.get(run.runId) !== 'running';
  const inTurn = open.toSorted((a, b) => a.lookedAtMs - b.lookedAtMs);
  const byNews = [...inTurn.filter(isNews), ...inTurn.filter((run) => !isNews(run))];
  return { chosen: byNews.slice(0, MAX_LOOKS), listed: states.size };
}
