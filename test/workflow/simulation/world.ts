import { createHash, randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { raceSignal } from '../../../src/abort';
import { createActivities } from '../../../src/activities';
import { connectionError, responseError } from '../../../src/atlas/outcomes';
import {
  matchKeys,
  mergeOrigins,
  stateOf,
  type KeyState,
  type Origin,
} from '../../../src/commands/api-keys/match-keys';
import { readHistories } from '../../../src/commands/api-keys/read-histories';
import { createOrganizations } from '../../../src/config/organizations';
import type { Services } from '../../../src/config/services';
import { MAX_LINK_TOKEN_BYTES } from '../../../src/contract/limits';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { createSealer, makeKey } from '../../../src/secrets/sealing';
import { SinkRejectedError, SinkUnavailableError, type Sink } from '../../../src/sinks/sink';
import { readRun } from '../../../src/temporal/read-history';
import { findTokenOf } from '../../../src/temporal/run-state';
import { ORG } from '../../unit/samples';
import { instantly, sleep } from './clock';
import type { SimulatedRun } from './run';
import type { StartWorkflow } from './sdk';
import type { Tape } from './tape';
import { SimulatedTemporal } from './temporal';
import { createWorkers, isPrepare } from './workers';

/*
 * What is around Temporal: Atlas, which makes API keys, two sinks, workers that are killed, and
 * people. All of it follows a tape. The world knows what really happened.
 */

export const REQUEST = { orgId: ORG, accessListIps: [], sink: 'first' };
export const WORKFLOW_ID = workflowIdFor(REQUEST);
const SCHEDULED_ID = 'schedule';
/** Atlas carries out a request in this time, if it does. */
const MAX_REQUEST_MS = 60_000;
/** The worker's limit for a response is shorter. */
const REQUEST_TIMEOUT_MS = 10_000;
const HEARTBEAT_MS = 60_000;
export const GIVE_UP_AFTER_MS = 100_000;
const RETRIES = {
  initialIntervalMs: 1000,
  maximumIntervalMs: 60_000,
  giveUpAfterMs: GIVE_UP_AFTER_MS,
  create: {
    attemptTimeoutMs: 4 * REQUEST_TIMEOUT_MS + HEARTBEAT_MS,
    heartbeatTimeoutMs: HEARTBEAT_MS,
  },
  deliver: { attemptTimeoutMs: 300_000, heartbeatTimeoutMs: 10_000 },
  roundMs: 20_000,
  maximumPauseMs: 120_000,
};
const MINIMUM_TOKEN_AGE_MS = 100_000;

/** What comes of a request to Atlas. A key may be made although nobody gets its token. */
const FATES = [
  ...(['token', 'token', 'token', 'token'] as const),
  '429',
  '503',
  '503 and a key',
  '504 and a late key',
  'no response and a late key',
  'killed before it is sent',
  'killed after it is sent',
  'killed, and a key',
  'killed, and a late key',
  '403',
  '201 without a token',
  'a token that is too large',
] as const;
/** After these the run cannot know whether Atlas made a key. */
const UNCERTAIN = /503|504|no response|201|too large/;
const DELIVERIES = [
  'stored',
  'rejected',
  'rejected',
  'away',
  'stored, then away',
  'killed',
  'stored, then killed',
] as const;
const ACTIONS = [
  'nothing',
  'cancel',
  'redeliver to first',
  'redeliver to second',
  'redeliver to nowhere',
  'redeliver to second and cancel',
  'start again',
  'recover',
  'schedule',
  'terminate',
  'reset',
  'Temporal is away',
  'an activity failed by hand',
  'an activity completed by hand',
  'a key by hand',
  'api-keys',
  'workers shut down',
] as const;
const MAX_ACTIONS = 5;

export interface Key {
  id: string;
  madeMs: number;
  /** The run whose attempt made it; null for one by hand. */
  runId: string | null;
  linkToken: string;
  tokenSha256: string;
  /** The sinks that have its token. */
  sinks: Set<string>;
}

/** The states of keys at a time, by `api-keys`. */
export interface Look {
  atMs: number;
  states: ReadonlyMap<string, KeyState>;
  origins: readonly Origin[];
}

const FAILED_BY_HAND = { message: 'by hand', applicationFailureInfo: { nonRetryable: true } };
const sealingKeys = JSON.stringify({ keys: [makeKey(new Date())] });

export type World = ReturnType<typeof createWorld>;

export function createWorld(tape: Tape, startWorkflow: StartWorkflow) {
  const startMs = Date.now();
  const trace: string[] = [];
  const say = (what: string) => trace.push(`${((Date.now() - startMs) / 1000).toFixed(2)} ${what}`);
  const temporal = new SimulatedTemporal(tape, say);
  const keys: Key[] = [];
  /** Creations whose last response leaves open whether a key was made: `<run id> <activity id>`. */
  const uncertain = new Set<string>();
  /** The sinks that each run has called. */
  const calledSinks = new Map<string, Set<string>>();
  /** The runs that sent a request to Atlas. */
  const senders = new Set<SimulatedRun>();
  /** Runs whose attempt began after the cancel or the deadline, and sent a request all the same. */
  const lateRequests: SimulatedRun[] = [];
  /** What api-keys said at different times. */
  const looks: Look[] = [];
  let busy = 0;

  /** Keeps the simulation going until the work is done. */
  async function keepBusy(work: () => Promise<unknown>): Promise<void> {
    busy += 1;
    await work();
    busy -= 1;
  }

  function makeKey(runId: string | null): Key {
    // The first eight digits of a key's id are its second.
    const second = Math.floor(Date.now() / 1000).toString(16);
    const id = second + randomUUID().replaceAll('-', '').slice(0, 16);
    const tokenSha256 = createHash('sha256').update(id).digest('hex');
    const key = { id, madeMs: Date.now(), runId, linkToken: id, tokenSha256, sinks: new Set('') };
    keys.push(key);
    say(`Atlas makes key ${keys.length}${runId ? '' : ' by hand'}`);
    return key;
  }

  async function createLinkToken(
    _orgId: string,
    _entries: readonly string[],
    _credential: string,
    abortUntilWritten: AbortSignal,
  ): Promise<string> {
    const context = Context.current();
    const { workflowExecution, activityId, attempt } = context.info;
    const runId = String(workflowExecution?.runId);
    const fate = tape.pick(FATES);
    abortUntilWritten.throwIfAborted();
    // A connection, and an access token.
    await raceSignal(() => sleep(tape.pick([2, 300, 9000])), abortUntilWritten);
    if (fate === 'killed before it is sent') workers.kill(context);
    say(`POST of ${runId.slice(0, 4)} #${activityId}.${attempt}: ${fate}`);
    const run = temporal.runs.find((one) => one.runId === runId) as SimulatedRun;
    senders.add(run);
    const startedMs = run.activities.get(activityId)?.startedAtMs ?? 0;
    const [firstMs = 0] = run.creations;
    const isTooLate = startedMs > run.cancelRequestedMs || startedMs - firstMs >= GIVE_UP_AFTER_MS;
    const isFirst = attempt === 1 && run.creations.length === 1;
    if (isTooLate && !isFirst) lateRequests.push(run);
    if (UNCERTAIN.test(fate)) uncertain.add(`${runId} ${activityId}`);
    if (fate.includes('late key')) {
      const lateMs = tape.pick([15_000, 30_000, MAX_REQUEST_MS]);
      void keepBusy(() => sleep(lateMs).then(() => makeKey(runId)));
    }
    const responseMs = tape.pick([50, 900, REQUEST_TIMEOUT_MS - 1]);
    await sleep(fate.startsWith('no response') ? REQUEST_TIMEOUT_MS : responseMs);
    const isMadeNow = fate.endsWith(' a key') || fate.includes('token');
    const key = isMadeNow ? makeKey(runId) : null;
    if (fate.startsWith('killed')) workers.kill(context);
    if (fate.startsWith('no response')) {
      throw connectionError('linkTokens', true, 'TIMEOUT', 'https://atlas.test');
    }
    if (fate === 'a token that is too large') return 'x'.repeat(MAX_LINK_TOKEN_BYTES + 1);
    const status = Number.parseInt(fate, 10);
    if (!key || status > 0) {
      throw responseError('linkTokens', { status, json: {}, retryAfterMs: undefined });
    }
    return key.linkToken;
  }

  const createSink = (name: string): Sink => ({
    async deliver({ linkToken }, signal) {
      const context = Context.current();
      const runId = String(context.info.workflowExecution?.runId);
      const fate = tape.pick(DELIVERIES);
      calledSinks.set(runId, (calledSinks.get(runId) ?? new Set()).add(name));
      await raceSignal(() => sleep(tape.pick([5, 400, 6000])), signal);
      const key = keys.find((one) => one.linkToken === linkToken);
      if (fate.startsWith('stored')) {
        say(`sink ${name} stores the token of key ${keys.indexOf(key as Key) + 1}`);
        key?.sinks.add(name);
      }
      if (fate.endsWith('killed')) workers.kill(context);
      if (fate === 'rejected') throw new SinkRejectedError('no');
      if (fate.endsWith('away')) throw new SinkUnavailableError('503');
      return name;
    },
    check: () => Promise.resolve(''),
  });

  const sinks = new Map(['first', 'second'].map((name) => [name, createSink(name)]));
  const sealer = createSealer(() => sealingKeys);
  const services = {
    atlas: { createLinkToken, isLinked: () => Promise.resolve(false) },
    sealer: {
      ...sealer,
      seal: (...args: Parameters<typeof sealer.seal>) => instantly(() => sealer.seal(...args)),
      open: (...args: Parameters<typeof sealer.open>) => instantly(() => sealer.open(...args)),
    },
    sinks,
    organizations: createOrganizations({
      organizations: null,
      credentials: new Set(['default']),
      sinks,
    }),
  } as unknown as Services;
  const activities = createActivities(services, RETRIES, MINIMUM_TOKEN_AGE_MS);
  const workers = createWorkers(temporal, startWorkflow, activities);
  temporal.workers = workers;

  const prepareRuns = () => temporal.runs.filter(isPrepare);
  const start = (...args: unknown[]) => temporal.start(WORKFLOW_TYPES.prepare, WORKFLOW_ID, args);

  /** As the command `recover` does: the newest token that no run delivered. */
  async function recover(): Promise<void> {
    for (const run of prepareRuns().toReversed()) {
      const history = await readHistory(run);
      const token = findTokenOf({ status: { name: run.status } }, history);
      if (!token) continue;
      const { token: sealedToken, sinksTried } = history;
      if (token.state === 'recoverable') start(REQUEST, { sealedToken, sinksTried });
      return;
    }
  }

  async function look(): Promise<void> {
    const origins = mergeOrigins(await readHistories(temporal.client, ORG), []);
    const { matches } = matchKeys(keys, origins);
    const states = new Map(matches.map(({ key, origins: ofKey }) => [key.id, stateOf(key, ofKey)]));
    looks.push({ atMs: Date.now(), states, origins });
  }

  const readHistory = (run: SimulatedRun) => readRun(temporal.client, run);

  async function act(action: (typeof ACTIONS)[number]): Promise<void> {
    const run = temporal.newestRun(WORKFLOW_ID);
    if (temporal.isAway || !run) return;
    if (action === 'terminate') run.terminate();
    if (action === 'reset') temporal.reset(run);
    if (action.startsWith('redeliver')) run.update('redeliver', { sink: action.split(' ')[2] });
    if (action.endsWith('cancel')) run.requestCancel();
    if (action === 'start again') start(tape.pick([REQUEST, { ...REQUEST, again: true }]));
    if (action === 'recover') await recover();
    if (action === 'schedule') {
      const always = tape.pick([false, true]);
      temporal.start(WORKFLOW_TYPES.prepareOnSchedule, SCHEDULED_ID, [
        { request: REQUEST, always },
      ]);
    }
    if (action === 'Temporal is away') temporal.goAway(tape.pick([3000, 30_000, 55_000]));
    if (action === 'an activity failed by hand') run.endByHand({ failure: FAILED_BY_HAND });
    if (action === 'an activity completed by hand') run.endByHand({ result: {} });
    if (action === 'a key by hand') makeKey(null);
    if (action === 'api-keys') await look();
    if (action === 'workers shut down') workers.shutDown();
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
  }

  const countEvents = () => temporal.runs.reduce((sum, { events }) => sum + events.length, 0);

  async function untilNextEvent(events: number): Promise<void> {
    const until = countEvents() + events;
    for (let waits = 0; countEvents() < until && waits < 100; waits += 1) {
      await sleep(5 + waits * 20);
    }
  }

  start(REQUEST);
  void keepBusy(live);

  return {
    temporal,
    keys,
    trace,
    uncertain,
    calledSinks,
    senders,
    lateRequests,
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
