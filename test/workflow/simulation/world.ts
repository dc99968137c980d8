import { Context } from '@temporalio/activity';
import { joinKeys, type Match } from '../../../src/commands/api-keys/join-keys';
import { readHistories } from '../../../src/commands/api-keys/read-histories';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { readRun } from '../../../src/temporal/read-history';
import { ORG, OTHER_ORG } from '../../unit/samples';
import { FINAL_REPLIES, createAtlas } from './atlas';
import { PAIRS } from './config';
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
const ATLAS = 'atlas.test';

/** What `api-keys` says of the keys in a list, by their ids. */
export type Look = ReadonlyMap<string, Match>;

const FINAL_FATES = FINAL_REPLIES.map((reply) => ({ name: 'final', acts: false, reply }));
/** Of the requests that matter most, fewer are served. */
const LINK_TOKEN_CALM = 0.4;

export type World = ReturnType<typeof createWorld>;

export function createWorld(tape: Tape, startWorkflow: StartWorkflow) {
  const startMs = Date.now();
  const trace: string[] = [];
  const say = (what: string) => trace.push(`${((Date.now() - startMs) / 1000).toFixed(2)} ${what}`);
  const temporal = new SimulatedTemporal(tape, startWorkflow, say);
  const findMaker = () => {
    const { run, activity, attempt } = findAttempt(temporal);
    return { runId: run.runId, attemptOverMs: activity.overMs.get(attempt) ?? Infinity };
  };
  const atlas = createAtlas(
    findMaker,
    (key) => {
      say(`Atlas makes key ${atlas.keys.length}${key.runId ? '' : ' by hand'}`);
    },
    (key) => say(`Atlas deletes key ${atlas.keys.indexOf(key) + 1}`),
  );
  /** What the sinks have stored, in order. */
  const stored: Stored[] = [];
  const sinks = createSinkServers((one) => {
    stored.push(one);
    const key = atlas.keys.findIndex(({ linkToken }) => linkToken === one.linkToken);
    say(`sink ${one.sink} stores the token of key ${key + 1}`);
  });
  /** Which runs have called which sinks, in order. */
  const sinkCalls: { runId: string; sink: string }[] = [];
  /** Until when a server, by its name, serves no request. */
  const failsUntilMs = new Map<string, number>();
  const fails = (host: string) => Date.now() < (failsUntilMs.get(host) ?? 0);
  const looks: Look[] = [];
  const watch = watchRequests(temporal);
  const workers = createWorkers(temporal, watch);
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
    sinkCalls.push({ runId, sink });
  };
  const asksForLinkToken = ({ host, path }: SentRequest) =>
    host === ATLAS && path.endsWith('/linkTokens');

  const network: Network = {
    tape,
    say,
    keepBusy,
    servers: { ...sinks, [ATLAS]: atlas.serve },
    chancesOf(sent) {
      const served = fails(sent.host) ? 0 : 20 * (sent.host === ATLAS ? calm : sinkCalm);
      if (!asksForLinkToken(sent)) return { served, faults };
      return { served: served * LINK_TOKEN_CALM, faults: [...faults, ...FINAL_FATES] };
    },
    onWritten(sent) {
      if (sent.host !== ATLAS) noteSink(String(sent.host.split('.')[0]));
      const callbacks = [watch.onWritten()];
      if (asksForLinkToken(sent)) callbacks.push(watch.onPost(sent));
      return (reply) => {
        for (const callback of callbacks) callback(reply);
      };
    },
  };
  surroundings.network = network;

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
      const ofOrg = atlas.keys.filter((key) => key.orgId === orgId && key.deletedBy === null);
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
