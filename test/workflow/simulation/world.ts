import { Context } from '@temporalio/activity';
import { joinKeys, type Match } from '../../../src/commands/api-keys/join-keys';
import { readHistories } from '../../../src/commands/api-keys/read-histories';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { SinkUnavailableError } from '../../../src/sinks/sink';
import { readRun } from '../../../src/temporal/read-history';
import { ORG, OTHER_ORG } from '../../unit/samples';
import { ACCESS_TOKEN_PATH, FINAL_REPLIES, MAX_KEYS, createAtlas } from './atlas';
import { nowMs } from './clock';
import { CONFIGS, PAIRS } from './config';
import { FAULTS, surroundings, type Network, type SentRequest } from './network';
import { findAttempt, watchRequests } from './requests';
import type { SimulatedRun } from './run';
import type { StartWorkflow } from './sdk';
import { createSinkServers, type Stored } from './sinks';
import type { Tape } from './tape';
import { SimulatedTemporal } from './temporal';
import { createWorkers } from './workers';

/*
 * Everything around Temporal: Atlas and the sinks behind a network, and workers. All of it follows a
 * tape. The world knows what really happened.
 */

const ORGS = [ORG, OTHER_ORG];
const SINK_HOSTS = /^(hook|vault|source)\.test$/;
/** For a webhook, any success is a delivery. */
const PAGE_HOSTS = /^(vault|source)\.test$/;
const PAGE = {
  name: '200 with a page',
  acts: false,
  reply: { status: 200, body: '<html></html>' },
};

/** What `api-keys` says of the keys in a list, by their ids. */
export type Look = ReadonlyMap<string, Match>;

const FINAL_FATES = FINAL_REPLIES.map((reply) => ({ name: 'final', acts: false, reply }));
/** Of the requests that matter most, fewer are served. */
const LINK_TOKEN_CALM = 0.4;
const DAY_S = 86_400;
const COME_TOMORROW = {
  name: '429 with a Retry-After of a day',
  acts: false,
  reply: { status: 429, headers: { 'retry-after': String(DAY_S) } },
};

export type World = ReturnType<typeof createWorld>;

export function createWorld(tape: Tape, startWorkflow: StartWorkflow) {
  const startMs = nowMs();
  const trace: string[] = [];
  const say = (what: string) => trace.push(`${((nowMs() - startMs) / 1000).toFixed(2)} ${what}`);
  const temporal = new SimulatedTemporal(tape, startWorkflow, say);
  const findMaker = () => {
    const { run, activity, attempt } = findAttempt(temporal);
    return { runId: run.runId, attemptOverMs: activity.overMs.get(attempt) ?? Infinity };
  };
  const atlas = createAtlas(findMaker, (key) => {
    say(`Atlas makes key ${atlas.keys.length}${key.runId ? '' : ' by hand'}`);
  });
  // So many keys that only a few more are possible.
  atlas.limits.keys = tape.pick([MAX_KEYS, MAX_KEYS, MAX_KEYS, 3]);
  /** What the sinks have stored, in order. */
  const stored: Stored[] = [];
  const sinks = createSinkServers((one) => {
    stored.push(one);
    const key = atlas.keys.findIndex(({ linkToken }) => linkToken === one.linkToken);
    say(`sink ${one.sink} stores the token of key ${key + 1}`);
  });
  /** Which runs have called which sinks, in order. */
  const sinkCalls: { runId: string; sink: string; atMs: number }[] = [];
  /** Until when a server, by its name, serves no request. */
  const failsUntilMs = new Map<string, number>();
  const fails = (host: string) => nowMs() < (failsUntilMs.get(host) ?? 0);
  const looks: Look[] = [];
  const config = tape.pick(CONFIGS);
  const watch = watchRequests(temporal, config.current.retries);
  const workers = createWorkers(temporal, config, watch);
  temporal.workers = workers;
  const first = tape.pick([...PAIRS.keys()]);
  const requests = [...PAIRS.slice(first), ...PAIRS.slice(0, first)].map(
    ({ sinks: names, ...pair }) => ({
      ...pair,
      sink: tape.pick(names),
    }),
  );
  const faults = tape.pickSome(FAULTS);
  /** In a calm run, people are what disturbs. */
  const calm = tape.pick([1, 8, 2]);
  /** In most runs sinks fail so often that each fault of each sink meets each action of people. */
  const sinkCalm = tape.pick([1, 0.2, 0.1]);
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
    sinkCalls.push({ runId, sink, atMs: nowMs() });
  };
  const asksForLinkToken = ({ host, path }: SentRequest) =>
    host === 'atlas.test' && path.endsWith('/linkTokens');

  const network: Network = {
    tape,
    say,
    keepBusy,
    servers: { ...sinks.servers, 'atlas.test': (sent) => atlas.serve(sent) },
    chancesOf(sent) {
      const ofSinks = SINK_HOSTS.test(sent.host);
      const served = fails(sent.host) ? 0 : 20 * (ofSinks ? sinkCalm : calm);
      if (ofSinks) {
        const ofHost = PAGE_HOSTS.test(sent.host) ? [...faults, PAGE] : faults;
        return { served, faults: ofHost };
      }
      if (!asksForLinkToken(sent)) return { served, faults };
      return {
        served: served * LINK_TOKEN_CALM,
        faults: [...faults, ...FINAL_FATES, COME_TOMORROW],
      };
    },
    onWritten(sent) {
      if (SINK_HOSTS.test(sent.host)) noteSink(String(sent.host.split('.')[0]));
      const callbacks = [watch.onWritten(sent)];
      if (asksForLinkToken(sent)) callbacks.push(watch.onPost(sent));
      if (sent.path === ACCESS_TOKEN_PATH) callbacks.push(watch.onAccessTokenRequest(sent));
      return (...response) => {
        for (const callback of callbacks) callback(...response);
      };
    },
  };
  surroundings.network = network;
  surroundings.callFolder = (...args) => {
    noteSink('files');
    if (fails('files')) return Promise.reject(new SinkUnavailableError('ENOSPC'));
    return sinks.callFolder(...args);
  };

  const prepareRuns = () => temporal.runs.filter(({ type }) => type === WORKFLOW_TYPES.prepare);
  const runsOf = (of: { orgId: string }) =>
    prepareRuns().filter(({ workflowId }) => workflowId === workflowIdFor(of));
  const start = (of: { orgId: string; [field: string]: unknown }, ...more: unknown[]) =>
    temporal.start(WORKFLOW_TYPES.prepare, workflowIdFor(of), [of, ...more]);
  const readHistory = (run: SimulatedRun) => readRun(temporal.client, run);

  /** Looks at the keys of all organizations, as if later by this much. */
  async function look(laterMs = 0): Promise<ReadonlyMap<string, Match>> {
    const seen = new Map<string, Match>();
    for (const orgId of ORGS) {
      const ofOrg = atlas.keys.filter((key) => key.orgId === orgId);
      const known = await readHistories(temporal.client, orgId);
      const matches = joinKeys(ofOrg, known, Date.now() + laterMs);
      for (const match of matches) seen.set(match.key.id, match);
    }
    looks.push(seen);
    return seen;
  }

  return {
    temporal,
    atlas,
    keys: atlas.keys,
    workers,
    requests,
    stored,
    failsUntilMs,
    trace,
    say,
    watch,
    sinkCalls,
    looks,
    prepareRuns,
    runsOf,
    start,
    readHistory,
    look,
    keepBusy,
    isOver: () =>
      busy === 0 &&
      !temporal.isAway &&
      temporal.runs.every(({ isListedAsClosed }) => isListedAsClosed),
  };
}
