import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { createActions } from './actions';
import { sleep } from './clock';
import type { Tape } from './tape';
import type { World } from './world';

/*
 * When people act (actions.ts), and that all ends well once they have repaired everything.
 */

const MAX_ACTIONS = 8;
/** The longest time for which a worker holds requests back. */
const MAX_HOLD_MS = 15 * 60_000;
/** After the last fault, every run ends in this time, unless its sink refuses its token. */
const SETTLED_AFTER_MS = 20 * 60_000;

/** Starts workers and the first runs, and lets people act until the last run has closed. */
export async function startPeople(tape: Tape, world: World): Promise<void> {
  const { temporal, workers, requests, stored, failsUntilMs, keepBusy, start } = world;
  const pairCount = tape.pick([1, 2, 3]);
  const actions = createActions(tape, world, pairCount);
  const names = tape.pickSome(actions.names);

  /** People act at a moment, or right after something has happened. */
  async function live(): Promise<void> {
    for (let count = 0; count < MAX_ACTIONS && !tape.isOver; count += 1) {
      const action = tape.pick(names);
      const waitMs = tape.pick([700, 0, 30, 3000, 15_000, 61_000, 200_000, null, null]);
      if (waitMs === null) await untilNextEvent(tape.pick([1, 2, 3, 4]));
      else await sleep(waitMs);
      await actions.act(action);
    }
    await settle();
  }

  const countEvents = () => temporal.runs.reduce((sum, { events }) => sum + events.length, 0);

  async function untilNextEvent(events: number): Promise<void> {
    const until = countEvents() + events;
    for (let waits = 0; countEvents() < until && waits < 100; waits += 1) {
      await sleep(5 + waits * 20);
    }
  }

  const openRuns = () => temporal.runs.filter(({ status }) => status === 'RUNNING');

  /** Repairs everything. What waits for its sink for good is cancelled in the end. */
  async function settle(): Promise<void> {
    tape.end();
    // A worker may be about to start.
    await sleep(1);
    workers.repairSealingKeys();
    failsUntilMs.clear();
    await untilRunsEnd();
    // A request of an attempt that is over may still freeze its worker.
    do await sleep(120_000);
    while (workers.all.some(({ isFrozen }) => isFrozen));
    // What went wrong before is over for a run that starts now.
    await sleep(MAX_HOLD_MS);
    const of = requests[temporal.runs.length % pairCount] as World['requests'][number];
    const last = start({ ...of, again: true });
    await untilRunsEnd();
    for (const run of openRuns().filter(({ type }) => type === WORKFLOW_TYPES.prepare)) {
      // Vault keeps the newer of two tokens, and the first of two pairs.
      const isRefused = stored.some(({ sink }) => sink === 'vault');
      const [{ sink }] = run.args as [{ sink: string }];
      const mayWait = run.memo['step'] === 'undelivered' && sink === 'vault' && isRefused;
      if (!mayWait) temporal.errors.push(`after the last fault every run ends: ${run.runId}`);
    }
    if (last && !['RUNNING', 'COMPLETED'].includes(last.status)) {
      temporal.errors.push('after the last fault a new run is delivered');
    }
    for (const run of openRuns()) run.requestCancel();
  }

  async function untilRunsEnd(): Promise<void> {
    for (let waitedMs = 0; waitedMs < SETTLED_AFTER_MS; waitedMs += 10_000) {
      // A request that was sent before may still kill its worker.
      if (workers.living().length === 0) await workers.boot();
      await sleep(10_000);
      if (openRuns().length === 0 && !temporal.isAway) return;
    }
  }

  const workerCount = tape.pick([2, 1, 3]);
  for (let count = 0; count < workerCount; count += 1) await workers.boot();
  if (tape.pick([false, false, false, true])) actions.startAll({});
  else for (const of of requests.slice(0, pairCount)) actions.startSomehow(of);
  keepBusy(live);
}
