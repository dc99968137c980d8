import { workflowIdFor } from '../../../src/contract/workflow-id';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { MAX_KEYS } from './atlas';
import { CLOCK_ERRORS_MS, nowMs, sleep } from './clock';
import { GIVE_UP_AFTER_MS } from './config';
import { MAX_HOLD_MS } from './requests';
import type { Tape } from './tape';
import type { SimulatedWorker } from './workers';
import type { World } from './world';

/*
 * What people do, at a moment or right after something has happened; and what disturbs workers and
 * servers for longer than a request.
 */

const ACTIONS = [
  'nothing',
  'cancel',
  'redeliver to hook',
  'redeliver to files',
  'redeliver to vault',
  'redeliver to nowhere',
  'redeliver to files and cancel',
  'await the delivery',
  'start again',
  'start again',
  'start all again',
  'start',
  'schedule',
  'terminate',
  'terminate',
  'reset',
  'Temporal is away',
  'an activity failed by hand',
  'an activity completed by hand',
  'an activity is reset',
  'an activity is reset, and cancel',
  'a key by hand',
  'api-keys',
  'a worker freezes',
  'a worker is killed',
  'a worker stops',
  'a worker stops at once and cancel',
  'a clock is wrong',
  'Atlas ends sessions',
  'a server fails',
  'a server fails',
] as const;
const MAX_ACTIONS = 8;
/** After the last fault, every run ends in this time, unless its sink refuses its token. */
const SETTLED_AFTER_MS = 20 * 60_000;

const FAILED_BY_HAND = { message: 'by hand', applicationFailureInfo: { nonRetryable: true } };

/** Starts workers and the first runs, and lets people act until the last run has closed. */
export async function startPeople(tape: Tape, world: World): Promise<void> {
  const { temporal, workers, atlas, requests, stored, failsUntilMs, say, keepBusy, start } = world;
  const pairCount = tape.pick([1, 2, 3]);
  const actions = tape.pickSome(ACTIONS);

  function disturbWorker(action: string): void {
    const worker = tape.pick(workers.living()) as SimulatedWorker | undefined;
    if (!worker) return;
    if (action.endsWith('freezes')) worker.freeze(tape.pick([4000, 15_000, 70_000, 200_000]));
    if (action.endsWith('killed')) worker.kill();
    if (action.includes('stops')) {
      const graceMs = action.includes('at once') ? 0 : GIVE_UP_AFTER_MS;
      keepBusy(() => worker.stop(graceMs));
    }
    if (action.endsWith('wrong')) worker.setClock(tape.pick(CLOCK_ERRORS_MS));
    // Somebody starts another one.
    if (!workers.living().includes(worker)) {
      keepBusy(() => sleep(tape.pick([100, 30_000])).then(() => workers.boot()));
    }
  }

  function schedule(of: World['requests'][number]): void {
    const input = { request: of, always: tape.pick([false, true]) };
    temporal.start(WORKFLOW_TYPES.prepareOnSchedule, `schedule ${of.sink}`, [input]);
  }

  /** Other services start with the Update, which is in the first activation. */
  function startSomehow(of: World['requests'][number]): void {
    const how = tape.pick(['alone', 'with an Update', 'by a schedule']);
    if (how === 'by a schedule') schedule(of);
    else {
      const run = start(of);
      if (how === 'with an Update') run?.update('awaitDelivery', of);
    }
  }

  async function act(action: (typeof ACTIONS)[number]): Promise<void> {
    if (action.startsWith('a worker') || action.startsWith('a clock')) disturbWorker(action);
    if (action === 'Atlas ends sessions') atlas.endSessions();
    if (action === 'start all again') for (const of of requests) start({ ...of, again: true });
    const of = tape.pick(requests);
    if (action === 'start') startSomehow(of);
    const run = temporal.newestRun(workflowIdFor(of)) ?? temporal.runs[0];
    if (temporal.isAway || !run) return;
    if (action.startsWith('an activity is reset')) {
      for (const activity of run.activities.values()) activity.reset();
    }
    if (action.endsWith('cancel')) run.requestCancel();
    if (action.startsWith('terminate')) run.terminate();
    if (action === 'reset') temporal.reset(run);
    if (action.startsWith('redeliver')) run.update('redeliver', { sink: action.split(' ')[2] });
    if (action === 'start again') {
      const again = tape.pick([run, ...world.runsOf(of)]).runId;
      start(tape.pick([{ ...of, again: true }, of, { ...of, again }, { ...of, again }]));
    }
    if (action === 'schedule') schedule(of);
    if (action === 'Temporal is away') temporal.goAway(tape.pick([3000, 30_000, 55_000]));
    if (action === 'an activity failed by hand') run.endByHand({ failure: FAILED_BY_HAND });
    if (action === 'an activity completed by hand') run.endByHand({ result: {} });
    if (action === 'a key by hand') atlas.makeKeyByHand(of.orgId);
    if (action === 'api-keys') await world.look();
    if (action === 'await the delivery') run.update('awaitDelivery', run.args[0]);
    if (action === 'a server fails') {
      const host = tape.pick(['atlas.test', 'hook.test', 'vault.test', 'source.test', 'files']);
      failsUntilMs.set(host, nowMs() + tape.pick([30_000, 200_000, 900_000]));
      say(`${host} fails`);
    }
  }

  /** People act at a moment, or right after something has happened. */
  async function live(): Promise<void> {
    for (let count = 0; count < MAX_ACTIONS && !tape.isOver; count += 1) {
      const action = tape.pick(actions);
      const waitMs = tape.pick([700, 0, 30, 3000, 15_000, 61_000, 200_000, null, null]);
      if (waitMs === null) await untilNextEvent(tape.pick([1, 2, 3, 4]));
      else await sleep(waitMs);
      await act(action);
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
    for (const worker of workers.all) {
      worker.setClock(0);
      if (worker.isOutdated) worker.kill();
    }
    failsUntilMs.clear();
    atlas.limits.keys = MAX_KEYS;
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
  for (let count = 0; count < workerCount; count += 1) {
    const worker = await workers.boot();
    worker.setClock(tape.pick(CLOCK_ERRORS_MS));
  }
  for (const of of requests.slice(0, pairCount)) startSomehow(of);
  keepBusy(live);
}
