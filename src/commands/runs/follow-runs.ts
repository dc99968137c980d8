import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import pMap from 'p-map';
import type { Receipt } from '../../contract/schemas';
import { listRuns } from '../../temporal/list-runs';
import type { RunRef } from '../../temporal/read-history';
import { lookAt, type OpenLook } from './look-at';

/** Looks at a time: each is one call or two. */
const CONCURRENCY = 20;
/** Bounds the looks at runs of which there is no news. */
const LOOKS_IN_TURN = 40;

const FIRST_INTERVAL_MS = 250;
const MAX_INTERVAL_MS = 1000;

/** For what ended before this command followed it. */
const FIRST_WINDOW_MS = 600_000;
/** The list lags. What it has even later is found in its turn. */
const LAG_MS = 5000;

/** The receipt of a run; or the error of `lookAt`, also for one that is undelivered. */
export type Ending = { receipt: Receipt } | { error: unknown };

interface Callbacks<R> {
  onLook: (run: R, look: OpenLook) => void | Promise<void>;
  /** An error that it throws ends the following. */
  onEnd: (run: R, ending: Ending) => void;
  onPause?: () => Promise<void>;
  signal?: AbortSignal;
}

interface Followed<R> {
  run: R;
  lookedAtMs: number;
}

/**
 * Follows runs until each has ended or is undelivered. It looks at a single run four times a
 * second at first, later once a second. Of many, it looks at those that Temporal lists as closed
 * since a moment ago, which is few pages even beside thousands of other runs: a server may permit
 * ten pages a second for all its clients. The others take turns.
 */
export async function followRuns<R extends RunRef>(
  client: Client,
  runs: readonly R[],
  { onLook, onEnd, onPause, signal }: Callbacks<R>,
): Promise<void> {
  const open = new Set(runs.map((run): Followed<R> => ({ run, lookedAtMs: 0 })));

  async function look(followed: Followed<R>): Promise<void> {
    const { run } = followed;
    const found = await lookAt(client, run).catch((error: unknown) => ({ error }));
    if ('receipt' in found || 'error' in found) {
      open.delete(followed);
      onEnd(run, found);
      return;
    }
    followed.lookedAtMs = performance.now();
    await onLook(run, found);
  }

  const findClosed = createClosedFinder(client);
  let intervalMs = FIRST_INTERVAL_MS;
  while (open.size > 0) {
    const inTurn = [...open].sort((a, b) => a.lookedAtMs - b.lookedAtMs);
    const closed = open.size > 1 ? await findClosed() : new Set<string>();
    const news = inTurn.filter(({ run }) => closed.has(run.runId));
    const others = inTurn.filter(({ run }) => !closed.has(run.runId));
    const chosen = [...news, ...others.slice(0, LOOKS_IN_TURN)];
    await pMap(chosen, look, { concurrency: CONCURRENCY });
    if (open.size === 0) return;
    await onPause?.();
    await sleep(intervalMs, undefined, { ...(signal && { signal }) });
    intervalMs = Math.min(intervalMs * 1.2, MAX_INTERVAL_MS);
  }
}

/** Creates a function that finds the runs which have closed since its last call. */
function createClosedFinder(client: Client) {
  let sinceMs = Date.now() - FIRST_WINDOW_MS;
  return async () => {
    const runIds = new Set<string>();
    const closedSince = `CloseTime >= '${new Date(sinceMs).toISOString()}'`;
    for await (const { runId, closeTime } of listRuns(client, null, closedSince)) {
      runIds.add(runId);
      // By the server's clock.
      if (closeTime) sinceMs = Math.max(sinceMs, closeTime.getTime() - LAG_MS);
    }
    return runIds;
  };
}
