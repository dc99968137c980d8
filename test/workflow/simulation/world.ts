import { Context } from '@temporalio/activity';
import {
  matchKeys,
  mergeOrigins,
  stateOf,
  type KeyState,
  type Origin,
} from '../../../src/commands/api-keys/match-keys';
import { readHistories } from '../../../src/commands/api-keys/read-histories';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { readRun } from '../../../src/temporal/read-history';
import { findTokenOf } from '../../../src/temporal/run-state';
import { ORG, OTHER_ORG } from '../../unit/samples';
import { FINAL_REPLIES, createAtlas } from './atlas';
import { nowMs, sleep } from './clock';
import { CONFIGS, PAIRS } from './config';
import { surroundings, type Network, type SentRequest } from './network';
import { findAttempt, watchRequests } from './requests';
import type { SimulatedRun } from './run';
import type { StartWorkflow } from './sdk';
import { createSinkServers, type Stored } from './sinks';
import type { Tape } from './tape';
import { SimulatedTemporal } from './temporal';
import { createWorkers, type SimulatedWorker } from './workers';

/*
 * Everything around Temporal: Atlas and the sinks behind a network, workers, and people. All of it
 * follows a tape. The world knows what really happened.
 */

const ORGS = [ORG, OTHER_ORG];
const SINK_HOSTS = /^(hook|vault|source)\.test$/;

const ACTIONS = [
  'nothing',
  'cancel',
  'redeliver to hook',
  'redeliver to files',
  'redeliver to vault',
  'redeliver to nowhere',
  'redeliver to files and cancel',
  'start again',
  'start',
  'recover',
  'schedule',
  'terminate',
  'reset',
  'Temporal is away',
  'an activity failed by hand',
  'an activity completed by hand',
  'a key by hand',
  'api-keys',
  'a worker freezes',
  'a worker is killed',
  'a worker stops',
  'a worker stops at once and cancel',
  'a clock is wrong',
  'Atlas ends sessions',
] as const;
const MAX_ACTIONS = 8;
/** After the last fault, every run ends in this time, unless its sink refuses its token. */
const SETTLED_AFTER_MS = 20 * 60_000;

const CLOCK_ERRORS_MS = [0, 3_600_000, 0, -3_600_000, 0, 60_000];

/** What `api-keys` says of keys. */
export interface Look {
  states: ReadonlyMap<string, KeyState>;
  origins: readonly Origin[];
}

const FAILED_BY_HAND = { message: 'by hand', applicationFailureInfo: { nonRetryable: true } };

export type World = Awaited<ReturnType<typeof createWorld>>;

export async function createWorld(tape: Tape, startWorkflow: StartWorkflow) {
  const startMs = nowMs();
  const trace: string[] = [];
  const say = (what: string) => trace.push(`${((nowMs() - startMs) / 1000).toFixed(2)} ${what}`);
  const log: unknown[] = [];
  const temporal = new SimulatedTemporal(tape, startWorkflow, say, (line) => log.push(line));
  const findMaker = () => {
    const { run, activity, attempt } = findAttempt(temporal);
    return { runId: run.runId, attemptOverMs: activity.overMs.get(attempt) ?? Infinity };
  };
  const atlas = createAtlas(findMaker, (key) => {
    say(`Atlas makes key ${atlas.keys.length}${key.runId ? '' : ' by hand'}`);
  });
  /** What the sinks have stored, in order. */
  const stored: Stored[] = [];
  const sinks = createSinkServers((one) => {
    stored.push(one);
    const key = atlas.keys.findIndex(({ linkToken }) => linkToken === one.linkToken);
    say(`sink ${one.sink} stores the token of key ${key + 1}`);
  });
  /** The sinks that each run has called. */
  const calledSinks = new Map<string, Set<string>>();
  const looks: Look[] = [];
  const config = tape.pick(CONFIGS);
  const watch = watchRequests(temporal, config.retries);
  const workers = createWorkers(temporal, config, (line) => log.push(line), watch.onReport);
  temporal.workers = workers;
  const requests = PAIRS.map(({ sinks: names, ...pair }) => ({
    ...{ ...pair, accessListIps: [] },
    sink: tape.pick(names),
  }));
  /** In a calm run, people are what disturbs. */
  const calm = tape.pick([1, 8, 2]);
  let busy = 0;

  /** Keeps the simulation going until the work is done. */
  function keepBusy(work: () => Promise<unknown>): void {
    busy += 1;
    void work()
      .catch((error: unknown) => temporal.errors.push(error))
      .finally(() => (busy -= 1));
  }

  const noteSink = (sink: string) => {
    const runId = String(Context.current().info.workflowExecution?.runId);
    calledSinks.set(runId, (calledSinks.get(runId) ?? new Set()).add(sink));
  };
  const isLinkToken = ({ host, path }: SentRequest) =>
    host === 'atlas.test' && path.endsWith('/linkTokens');

  const network: Network = {
    tape,
    say,
    keepBusy,
    servers: { ...sinks.servers, 'atlas.test': (sent) => atlas.serve(sent) },
    chancesOf(sent) {
      if (!isLinkToken(sent)) return { served: 20 * calm, faults: [] };
      const faults = FINAL_REPLIES.map((reply) => ({ name: 'final', acts: false, reply }));
      return { served: 8 * calm, faults };
    },
    onWritten(sent) {
      if (SINK_HOSTS.test(sent.host)) noteSink(String(sent.host.split('.')[0]));
      // A worker that stops revokes its access token.
      if (sent.path === '/api/oauth/revoke') return () => undefined;
      const callbacks = [watch.onRequest(sent)];
      if (isLinkToken(sent)) callbacks.push(watch.onPost(sent));
      if (sent.path === '/api/oauth/token') callbacks.push(watch.onTokenRequest(sent, atlas));
      return (...response) => {
        for (const callback of callbacks) callback(...response);
      };
    },
  };
  surroundings.network = network;
  surroundings.callFolder = (...args) => {
    noteSink('files');
    return sinks.callFolder(...args);
  };

  const prepareRuns = () => temporal.runs.filter(({ type }) => type === WORKFLOW_TYPES.prepare);
  const start = (of: object & { orgId: string }, ...more: unknown[]) =>
    temporal.start(WORKFLOW_TYPES.prepare, workflowIdFor(of), [of, ...more]);
  const readHistory = (run: SimulatedRun) => readRun(temporal.client, run);

  /** As the command `recover` does: the newest token that no run delivered. */
  async function recover(of: (typeof requests)[number]): Promise<void> {
    const runs = prepareRuns().filter(({ workflowId }) => workflowId === workflowIdFor(of));
    for (const run of runs.toReversed()) {
      const history = await readHistory(run);
      const token = findTokenOf({ status: { name: run.status } }, history);
      if (!token) continue;
      const { token: sealedToken, sinksTried } = history;
      if (token.state === 'recoverable') start(of, { sealedToken, sinksTried });
      return;
    }
  }

  async function look(): Promise<void> {
    for (const orgId of ORGS) {
      const origins = mergeOrigins(await readHistories(temporal.client, orgId), []);
      const ofOrg = atlas.keys.filter((key) => key.orgId === orgId);
      const { matches } = matchKeys(ofOrg, origins);
      const states = new Map(matches.map(({ key, origins: of }) => [key.id, stateOf(key.id, of)]));
      looks.push({ states, origins });
    }
  }

  function setClock({ name, clock }: SimulatedWorker): void {
    clock.errorMs = tape.pick(CLOCK_ERRORS_MS);
    if (clock.errorMs !== 0) say(`${name} has a clock that is wrong by ${clock.errorMs / 1000} s`);
  }

  function disturbWorker(action: string): void {
    const worker = tape.pick(workers.living()) as SimulatedWorker | undefined;
    if (!worker) return;
    if (action.endsWith('freezes')) worker.freeze(tape.pick([4000, 15_000, 70_000, 200_000]));
    if (action.endsWith('killed')) worker.kill();
    if (action.includes('stops')) {
      const graceMs = action.includes('at once') ? 0 : config.retries.giveUpAfterMs;
      keepBusy(() => worker.stop(graceMs));
    }
    if (action.endsWith('wrong')) setClock(worker);
    // Somebody starts another one.
    if (!workers.living().includes(worker)) {
      keepBusy(() => sleep(tape.pick([100, 30_000])).then(() => workers.boot()));
    }
  }

  async function act(action: (typeof ACTIONS)[number]): Promise<void> {
    if (action.startsWith('a worker') || action.startsWith('a clock')) disturbWorker(action);
    if (action === 'Atlas ends sessions') atlas.endSessions();
    const of = tape.pick(requests);
    if (action === 'start') start(of);
    const run = temporal.newestRun(workflowIdFor(of)) ?? temporal.runs[0];
    if (temporal.isAway || !run) return;
    if (action.endsWith('cancel')) run.requestCancel();
    if (action === 'terminate') run.terminate();
    if (action === 'reset') temporal.reset(run);
    if (action.startsWith('redeliver')) run.update('redeliver', { sink: action.split(' ')[2] });
    if (action === 'start again') start(tape.pick([of, { ...of, again: true }]));
    if (action === 'recover') await recover(of);
    if (action === 'schedule') {
      const input = { request: of, always: tape.pick([false, true]) };
      temporal.start(WORKFLOW_TYPES.prepareOnSchedule, `schedule ${of.sink}`, [input]);
    }
    if (action === 'Temporal is away') temporal.goAway(tape.pick([3000, 30_000, 55_000]));
    if (action === 'an activity failed by hand') run.endByHand({ failure: FAILED_BY_HAND });
    if (action === 'an activity completed by hand') run.endByHand({ result: {} });
    if (action === 'a key by hand') atlas.makeKeyByHand(of.orgId);
    if (action === 'api-keys') await look();
  }

  /** People act at a moment, or right after something has happened. */
  async function live(): Promise<void> {
    for (let actions = 0; actions < MAX_ACTIONS && !tape.isOver; actions += 1) {
      const action = tape.pick(ACTIONS);
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
    for (const worker of workers.all) worker.clock.errorMs = 0;
    for (
      let waitedMs = 0;
      openRuns().length > 0 && waitedMs < SETTLED_AFTER_MS;
      waitedMs += 10_000
    ) {
      // A request that was sent before may still kill its worker.
      if (workers.living().length === 0) await workers.boot();
      await sleep(10_000);
    }
    for (const run of openRuns().filter(({ type }) => type === WORKFLOW_TYPES.prepare)) {
      // Vault keeps the newer of two tokens.
      const isRefused = stored.some(({ sink, orgId }) => sink === 'vault' && orgId === OTHER_ORG);
      const mayWait = run.memo['step'] === 'undelivered' && isRefused;
      if (!mayWait) temporal.errors.push(`after the last fault every run ends: ${run.runId}`);
    }
    for (const run of openRuns()) run.requestCancel();
  }

  const booting = tape.pick([2, 1, 3]);
  for (let count = 0; count < booting; count += 1) {
    setClock(await workers.boot());
  }
  const pairs = tape.pick([1, 2, 3]);
  for (const of of requests.slice(0, pairs)) start(of);
  keepBusy(live);

  return {
    temporal,
    atlas,
    keys: atlas.keys,
    stored,
    trace,
    log,
    watch,
    calledSinks,
    dropped: workers.dropped,
    looks,
    prepareRuns,
    readHistory,
    look,
    isOver: () =>
      busy === 0 &&
      !temporal.isAway &&
      temporal.runs.every(({ isListedAsClosed }) => isListedAsClosed),
  };
}
