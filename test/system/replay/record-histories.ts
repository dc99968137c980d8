/**
 * Records one history of each scenario into test/system/replay/histories/<version>/, for the replay test: npm run histories
 * or, to add scenarios and leave the others: npm run histories -- NAME...
 *
 * Record anew when a change of the workflows is meant to be incompatible with open runs, never to make the replay test
 * pass. All of it runs on an embedded Temporal and the Atlas emulator, and keys are made for it.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import type { Fault } from '../../../dev/atlas-emulator';
import { startEmbeddedTemporal, type EmbeddedTemporal } from '../../../dev/temporal/embedded-temporal';
import { WORKFLOW_TYPES } from '../../../src/contract/names';
import type { Recovery } from '../../../src/contract/schemas';
import { startAtlas, type TestAtlas } from '../../support/atlas';
import { cleanUp } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { deploy, type Deployment, type Handle } from '../../support/installation';
import {
  createdToken,
  pendingActivity,
  redeliver,
  startAndAwait,
  startWaiting,
  statusOf,
  untilBackOff,
  untilStep,
} from '../../support/runs';
import { findSecrets, textPlace } from '../../support/secrecy';
import { OWN_HISTORIES_FOLDER, SCENARIO_NAMES, type ScenarioName } from './histories';

const ROOT = path.join(__dirname, '../../..');

const on = 'linkTokens';

interface Recording {
  temporal: EmbeddedTemporal;
  atlas: TestAtlas;
  deployment: Deployment;
}

/** Returns the workflow id whose newest run is to be recorded. */
type Scenario = (recording: Recording) => Promise<string>;

const SCENARIOS: Record<ScenarioName, Scenario> = {
  delivered: (recording) => ended(recording),

  'delivered-after-retries': (recording) =>
    ended(recording, {}, [
      { on, status: 500 },
      { on, status: 429 },
    ]),

  async 'delivered-after-lost-attempt'({ atlas, deployment }) {
    const [worker] = deployment.workers;
    if (!worker) throw new Error('no worker');
    atlas.faults({ on, delayMs: 1500, afterCreating: true });
    const handle = await deployment.start();
    await eventually('a token', () => atlas.createdTokens().length === 1);
    process.kill(worker.pid, 'SIGSTOP');
    await eventually('a missed heartbeat', async () => (await pendingActivity(handle)) === null);
    process.kill(worker.pid, 'SIGCONT');
    await settled(handle);
    return handle.workflowId;
  },

  'invalid-request': (recording) => ended(recording, { sink: 'nowhere' }),

  async 'token-exists'({ temporal, deployment }) {
    const request = deployment.newRequest();
    const { workflowId } = await deployment.start(request);
    await settled(deployment.handleOf(request));
    const query = `WorkflowId = '${workflowId}' AND ExecutionStatus = 'Completed'`;
    await eventually(
      'the run in the list',
      async () => (await temporal.client.workflow.count(query)).count === 1,
    );
    await settled(await deployment.start(request));
    return workflowId;
  },

  'atlas-request-rejected': (recording) =>
    ended(recording, {}, { on, errorCode: 'ORG_REQUIRES_ACCESS_LIST' }),

  'atlas-response-invalid': (recording) => ended(recording, {}, { on, status: 201, body: {} }),

  'atlas-unavailable': (recording) =>
    ended(recording, {}, [
      { on, status: 500 },
      { on, status: 500, headers: { 'Retry-After': '60' } },
    ]),

  'in-back-off': async (recording) => (await inBackOff(recording)).workflowId,

  'in-back-off-after-unconfirmed': async (recording) =>
    (await inBackOffAfterUnconfirmed(recording)).workflowId,

  undelivered: async (recording) => (await undelivered(recording)).workflowId,

  async 'undelivered-after-updates'(recording) {
    const handle = await undelivered(recording);
    await redeliver(handle);
    await redeliver(handle, { sink: 'nowhere' });
    return handle.workflowId;
  },

  async 'redelivered-elsewhere'(recording) {
    const handle = await undelivered(recording);
    await redeliver(handle, { sink: 'files' });
    await settled(handle);
    return handle.workflowId;
  },

  async 'redelivered-elsewhere-while-retrying'({ deployment }) {
    const request = deployment.newRequest({ sink: 'away' });
    const handle = await deployment.start(request);
    await untilStep(handle, 'delivering');
    const waiting = await startWaiting(handle, request);
    await redeliver(handle, { sink: 'files' });
    await waiting.outcome();
    await settled(handle);
    return handle.workflowId;
  },

  async 'first-contact-by-update'({ deployment }) {
    const request = deployment.newRequest();
    await startAndAwait(deployment, request);
    return deployment.handleOf(request).workflowId;
  },

  async 'first-contact-by-update-undelivered'({ deployment }) {
    const request = deployment.newRequest({ sink: 'broken' });
    await startAndAwait(deployment, request);
    return deployment.handleOf(request).workflowId;
  },

  async 'first-contact-by-update-invalid-request'({ deployment }) {
    const request = deployment.newRequest({ sink: 'nowhere' });
    await startAndAwait(deployment, request);
    return deployment.handleOf(request).workflowId;
  },

  'cancelled-in-back-off': async (recording) => cancelled(await inBackOff(recording)),

  'cancelled-in-back-off-after-unconfirmed': async (recording) =>
    cancelled(await inBackOffAfterUnconfirmed(recording)),

  'cancelled-during-a-post': (recording) => cancelledDuringPost(recording, 'files'),

  'cancelled-during-a-post-with-token-left': (recording) => cancelledDuringPost(recording, 'broken'),

  async 'cancelled-while-delivering'({ deployment }) {
    const handle = await deployment.start(deployment.newRequest({ sink: 'away' }));
    await untilStep(handle, 'delivering');
    return cancelled(handle);
  },

  'cancelled-while-undelivered': async (recording) => cancelled(await undelivered(recording)),

  async recovered(recording) {
    const { deployment } = recording;
    const closed = await undelivered(recording);
    await cancelled(closed);
    const { sealedToken } = { sealedToken: await createdToken(closed) } as Recovery;
    const { orgId, sourceOrgId } = sealedToken;
    const request = deployment.newRequest({ orgId, sourceOrgId });
    await settled(await deployment.start(request, { sealedToken, sinksTried: ['broken'] }));
    return closed.workflowId;
  },

  scheduled: (recording) =>
    executed(recording, WORKFLOW_TYPES.prepareOnSchedule, 'scheduled', {
      request: recording.deployment.newRequest(),
    }),

  async 'scheduled-while-token-recent'(recording) {
    const workflowId = 'scheduled-while-token-recent';
    const input = { request: recording.deployment.newRequest() };
    await executed(recording, WORKFLOW_TYPES.prepareOnSchedule, workflowId, input);
    return executed(recording, WORKFLOW_TYPES.prepareOnSchedule, workflowId, input);
  },

  async 'scheduled-while-running'(recording) {
    const request = recording.deployment.newRequest({ sink: 'broken' });
    await untilStep(await recording.deployment.start(request), 'undelivered');
    return executed(recording, WORKFLOW_TYPES.prepareOnSchedule, 'scheduled-while-running', { request });
  },
};

async function executed(
  { temporal, deployment: { taskQueue } }: Recording,
  workflowType: string,
  workflowId: string,
  input: object,
): Promise<string> {
  await temporal.client.workflow.execute(workflowType, { workflowId, taskQueue, args: [input] });
  return workflowId;
}

/** However it ends. */
async function settled(handle: Handle): Promise<void> {
  await handle.result().catch(() => undefined);
}

async function ended(
  { atlas, deployment }: Recording,
  more = {},
  faults: Fault | Fault[] = [],
): Promise<string> {
  atlas.faults(faults);
  const handle = await deployment.start(deployment.newRequest(more));
  await settled(handle);
  return handle.workflowId;
}

async function cancelled(handle: Handle): Promise<string> {
  await handle.cancel();
  await settled(handle);
  return handle.workflowId;
}

async function cancelledDuringPost({ atlas, deployment }: Recording, sink: string): Promise<string> {
  atlas.faults({ on, delayMs: 1500 });
  const handle = await deployment.start(deployment.newRequest({ sink }));
  await eventually('a POST', () => atlas.posts().length === 1);
  return cancelled(handle);
}

/** Temporal waits, and not the workflow. */
async function inBackOff({ atlas, deployment }: Recording): Promise<Handle> {
  atlas.faults({ on, status: 429, headers: { 'Retry-After': '2' } });
  const handle = await deployment.start();
  await untilBackOff(handle);
  return handle;
}

/** The workflow waits, and not Temporal. */
async function inBackOffAfterUnconfirmed({ atlas, deployment }: Recording): Promise<Handle> {
  atlas.faults([
    { on, status: 503 },
    { on, status: 503, headers: { 'Retry-After': '2' } },
  ]);
  const handle = await deployment.start();
  await eventually('a wait', async () => (await statusOf(handle)).unconfirmedTokens === 2);
  return handle;
}

async function undelivered({ deployment }: Recording): Promise<Handle> {
  const handle = await deployment.start(deployment.newRequest({ sink: 'broken' }));
  await untilStep(handle, 'undelivered');
  return handle;
}

async function record(name: string, scenario: Scenario, temporal: EmbeddedTemporal): Promise<void> {
  const atlas = await startAtlas();
  const deployment = await deploy({
    temporal,
    atlas,
    config: {
      sinks: {
        files: { type: 'file', directory: 'tokens' },
        broken: { type: 'file', directory: 'sealing-keys.json' },
        away: { type: 'file', directory: 'away' },
      },
      // Longer than a worker is frozen.
      atlas: { requestTimeoutMs: 60_000 },
      retries: {
        create: { initialIntervalMs: 20, maximumIntervalMs: 100, giveUpAfterMs: 30_000 },
        deliver: { initialIntervalMs: 20, maximumIntervalMs: 100, roundMs: 1500 },
      },
    },
  });
  try {
    await deployment.startWorker();
    const workflowId = await scenario({ temporal, atlas, deployment });
    const history = historyToJSON(await temporal.client.workflow.getHandle(workflowId).fetchHistory());
    const { keys } = JSON.parse(readFileSync(deployment.keysFile, 'utf8')) as { keys: { k: string }[] };
    const text = JSON.stringify(withoutTraces(JSON.parse(history), deployment.folder), null, 1);
    const secrets = [...keys.map(({ k }) => k), ...atlas.createdTokens().map(({ linkToken }) => linkToken)];
    const found = findSecrets([textPlace(name, text)], new Map(secrets.map((secret) => [secret, secret])));
    if (found.length > 0) throw new Error(`a secret is in ${name}`);
    writeFileSync(path.join(OWN_HISTORIES_FOLDER, `${name}.json`), `${text}\n`);
    process.stdout.write(`recorded ${name}\n`);
  } finally {
    await cleanUp();
  }
}

/** Names of this machine mean nothing elsewhere. Replay does not compare what activities were given or returned. */
function withoutTraces(json: unknown, folder: string): unknown {
  const clean = (text: string) =>
    text
      .replaceAll(folder, '/var/lib/live-migration-prep')
      .replaceAll(ROOT, '/app')
      .replaceAll(new RegExp(`\\d+@${os.hostname()}`, 'g'), '1@host');
  return JSON.parse(JSON.stringify(json), (key, value: unknown) => {
    if (typeof value !== 'string') return value;
    if (key !== 'data') return clean(value);
    const decoded = Buffer.from(value, 'base64').toString();
    const cleaned = clean(decoded);
    return cleaned === decoded ? value : Buffer.from(cleaned).toString('base64');
  });
}

async function main(): Promise<void> {
  const temporal = await startEmbeddedTemporal();
  try {
    const named = process.argv.slice(2);
    if (named.length === 0) rmSync(OWN_HISTORIES_FOLDER, { recursive: true, force: true });
    mkdirSync(OWN_HISTORIES_FOLDER, { recursive: true });
    const names = SCENARIO_NAMES.filter((name) => named.length === 0 || named.includes(name));
    for (const name of names) await record(name, SCENARIOS[name], temporal);
  } finally {
    await temporal.stop();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`recording failed: ${String(error)} ${String((error as Error).cause)}\n`);
  process.exitCode = 1;
});
