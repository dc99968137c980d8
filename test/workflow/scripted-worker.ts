import path from 'node:path';
import { Context } from '@temporalio/activity';
import { NativeConnection, Worker } from '@temporalio/worker';
import { requireValid } from '../../src/activities/validate-request';
import { createOrganizations } from '../../src/config/organizations';
import type { PrepareRequest } from '../../src/contract/schemas';
import { workflowIdFor } from '../../src/contract/workflow-id';
import type { Activities, LinkState, Retries } from '../../src/shared/activities';
import { invalidRequest } from '../../src/shared/invalid-request';
import type { Sink } from '../../src/sinks/sink';
import { newAccount } from '../support/atlas';
import { cleanUpLater } from '../support/clean-up';
import { install } from '../support/installation';
import { silenceRuntime, workflowBundle } from '../support/replay';
import { sharedTemporal, type Temporal } from '../support/temporal';
import { aSink } from '../unit/samples';
import {
  created,
  revoked,
  stored,
  type Creation,
  type Delivery,
  type Revocation,
} from './attempts';
import { fetchHistories, fileOfVersion, replayAll, storeHistories } from './replay/histories';

/** Outcomes of the attempts of one pair's runs, in order. */
export interface Script {
  /** Every attempt creates a token once it is used up. */
  create?: Creation[];
  /** Every attempt stores the token once it is used up. */
  deliver?: Delivery[];
  /** Every attempt deletes the key once it is used up. */
  revoke?: Revocation[];
  /** Fails the search for an earlier token. */
  find?: () => never;
  /** Result of `checkLink`; by default the source is not linked and has no token. */
  checkLink?: () => unknown;
  /** Changes to {@link RETRIES}. */
  retries?: Partial<Retries>;
}

/** Calls that the runs of one pair have made; `sinks` has the sink of each attempt to deliver. */
export interface Calls {
  creations: number;
  sinks: string[];
  revocations: number;
}

export type ScriptedWorker = Awaited<ReturnType<typeof startScriptedWorker>>;
export type ScriptedRun = Awaited<ReturnType<ScriptedWorker['start']>>;

/** Exceeds what the busiest machine needs. */
const LONG_TIMEOUTS = { attemptTimeoutMs: 600_000, heartbeatTimeoutMs: 600_000 };

/**
 * Retries come soon, and a round ends with its first failure; an undelivered run waits for longer
 * than any test.
 */
const RETRIES: Retries = {
  initialIntervalMs: 2,
  maximumIntervalMs: 600_000,
  create: LONG_TIMEOUTS,
  giveUpAfterMs: 3_600_000,
  deliver: LONG_TIMEOUTS,
  roundMs: 0,
};

/**
 * Temporal refuses Updates to a run whose workflow task has timed out a few times, by default after
 * 10 s each. Two minutes are the longest timeout that it takes.
 */
const RUN_OPTIONS = { workflowTaskTimeout: '2 minutes' } as const;

const SINKS = new Map<string, Sink>(['files', 'other', 'third'].map((name) => [name, aSink()]));
const organizations = createOrganizations({
  organizations: null,
  credentials: new Map([['default', null]]),
  sinks: SINKS,
});

const PROBLEM = { field: 'request', description: 'is not an object' };

silenceRuntime();

/**
 * Starts a worker in this process, whose activities follow scripts. Only the check of the request
 * is the real one. After the last test of the file the worker stops, and every run is replayed.
 */
export async function startScriptedWorker(server?: Temporal, defaults = RETRIES) {
  const temporal = server ?? (await sharedTemporal());
  const connection = await NativeConnection.connect({ address: temporal.address });
  cleanUpLater(() => connection.close());
  const installation = await install({
    temporal,
    atlas: { url: '', account: newAccount() },
    runOptions: RUN_OPTIONS,
  });
  /** A run without a script creates a token and delivers it. */
  const scripts = new Map<string, { script: Script; calls: Calls }>();
  const scriptOf = (workflowId = '') =>
    scripts.get(workflowId) ?? { script: {}, calls: { creations: 0, sinks: [], revocations: 0 } };
  const ofRun = () => {
    const { script, calls } = scriptOf(Context.current().info.workflowExecution?.workflowId);
    return { script, calls, retries: { ...defaults, ...script.retries } };
  };

  const activities: Partial<Activities> = {
    // eslint-disable-next-line @typescript-eslint/require-await -- a throw must become a rejection
    async validateRequest(input) {
      const { workflowId = '' } = Context.current().info.workflowExecution ?? {};
      const request = requireValid(input, workflowId, { organizations, sinks: SINKS });
      const { script, retries } = ofRun();
      script.find?.();
      return { request, retries };
    },
    runChecks: () => Promise.reject(invalidRequest([PROBLEM], { unconfirmedTokens: 0 })),
    async createLinkToken(input) {
      const { script, calls, retries } = ofRun();
      calls.creations += 1;
      return (script.create?.[calls.creations - 1] ?? created)(input, retries);
    },
    async deliverLinkToken(input, sink) {
      const { script, calls, retries } = ofRun();
      calls.sinks.push(sink);
      return (script.deliver?.[calls.sinks.length - 1] ?? stored)(input, sink, retries);
    },
    async revokeLinkToken(token) {
      const { script, calls, retries } = ofRun();
      calls.revocations += 1;
      return (script.revoke?.[calls.revocations - 1] ?? revoked)(token, retries);
    },
    async checkLink(input) {
      const { checkLink } = scriptOf(workflowIdFor(input)).script;
      if (checkLink) return (await checkLink()) as LinkState;
      return {
        linked: false,
        recentToken: false,
        lastTokenAt: input.lastTokenAt,
        tokenRunId: null,
      };
    },
  };

  // The server that skips time lists no runs.
  if (!server) {
    cleanUpLater(async () => {
      const histories = await fetchHistories(temporal.client, installation.taskQueue);
      if (process.env['STORE_HISTORIES']) storeHistories(fileOfVersion(), histories);
      await replayAll(histories);
    });
  }

  const worker = await Worker.create({
    connection,
    taskQueue: installation.taskQueue,
    workflowBundle,
    dataConverter: {
      payloadConverterPath: path.join(__dirname, '../../dist/shared/payload-converter.js'),
    },
    activities,
    maxConcurrentActivityTaskExecutions: 500,
    maxHeartbeatThrottleInterval: 50,
    shutdownGraceTime: 0,
  });
  const running = worker.run();
  cleanUpLater(async () => {
    worker.shutdown();
    await running;
  });

  /** Sets the script of a pair; its runs share it. */
  function setScript(request: PrepareRequest, script: Script): Calls {
    const calls: Calls = { creations: 0, sinks: [], revocations: 0 };
    scripts.set(workflowIdFor(request), { script, calls });
    return calls;
  }

  return {
    installation,
    setScript,
    async start(script: Script = {}, change: Partial<PrepareRequest> = {}) {
      const request = installation.newRequest(change);
      const calls = setScript(request, script);
      return { request, calls, handle: await installation.start(request) };
    },
  };
}
