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
import type { PrepareRequest, SealedToken } from '../../../src/contract/schemas';
import { VERSION } from '../../../src/version';
import { startAtlas, type TestAtlas } from '../../support/atlas';
import { cleanUp } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { deploy, type Deployment, type Handle } from '../../support/installation';
import {
  createdToken,
  end,
  pendingActivity,
  redeliver,
  startAndAwait,
  startWaiting,
  statusOf,
  untilBackOff,
  untilStep,
} from '../../support/runs';
import { findSecrets, textPlace } from '../../support/secrecy';

const ROOT = path.join(__dirname, '../../..');
/** The folders of other releases stay as they are: open runs of each have to go on. */
const FOLDER = path.join(__dirname, 'histories', VERSION);

const on = 'linkTokens';

interface Recording {
  temporal: EmbeddedTemporal;
  atlas: TestAtlas;
  deployment: Deployment;
}

/** Returns the run to be recorded, or another run of its workflow id: the newest is recorded. */
type Scenario = (recording: Recording) => Promise<{ workflowId: string }>;

const SCENARIOS: Record<string, Scenario> = {
  delivered: (recording) => ended(recording, 'files'),

  'delivered-after-retries': (recording) =>
    ended(recording, 'files', { on, status: 500 }, { on, status: 429 }),

  async 'delivered-after-lost-attempt'({ atlas, deployment }) {
    const [worker] = deployment.workers;
    if (!worker) throw new Error('no worker');
    atlas.faults({ on, delayMs: 1500, afterCreating: true });
    const handle = await deployment.start();
    await eventually('a token', () => atlas.createdTokens().length === 1);
    process.kill(worker.pid, 'SIGSTOP');
    await eventually('a missed heartbeat', async () => (await pendingActivity(handle)) === null);
    process.kill(worker.pid, 'SIGCONT');
    return settled(handle);
  },

  'invalid-request': (recording) => ended(recording, 'nowhere'),

  async 'token-exists'({ temporal, deployment }) {
    const request = deployment.newRequest();
    const { workflowId } = await settled(await deployment.start(request));
    const query = `WorkflowId = '${workflowId}' AND ExecutionStatus = 'Completed'`;
    const count = async () => (await temporal.client.workflow.count(query)).count;
    await eventually('the run in the list', async () => (await count()) === 1);
    return settled(await deployment.start(request));
  },

  'atlas-request-rejected': (recording) =>
    ended(recording, 'files', { on, errorCode: 'ORG_REQUIRES_ACCESS_LIST' }),

  'atlas-response-invalid': (recording) => ended(recording, 'files', { on, status: 201, body: {} }),

  'atlas-unavailable': (recording) =>
    ended(recording, 'files', { on, status: 500 }, { on, status: 500, headers: { 'Retry-After': '60' } }),

  'in-back-off': inBackOff,

  'in-back-off-after-unconfirmed': inBackOffAfterUnconfirmed,

  undelivered: (recording) => reached(recording, 'broken', 'undelivered'),

  async 'undelivered-after-updates'(recording) {
    const handle = await reached(recording, 'broken', 'undelivered');
    await redeliver(handle);
    await redeliver(handle, { sink: 'nowhere' });
    return handle;
  },

  async 'redelivered-elsewhere'(recording) {
    const handle = await reached(recording, 'broken', 'undelivered');
    await redeliver(handle, { sink: 'files' });
    return settled(handle);
  },

  async 'redelivered-elsewhere-while-retrying'(recording) {
    const request = recording.deployment.newRequest({ sink: 'away' });
    const handle = await reached(recording, 'away', 'delivering', request);
    const waiting = await startWaiting(handle, request);
    await redeliver(handle, { sink: 'files' });
    await waiting.outcome();
    return settled(handle);
  },

  'first-contact-by-update': (recording) => contacted(recording, 'files'),

  'first-contact-by-update-undelivered': (recording) => contacted(recording, 'broken'),

  'first-contact-by-update-invalid-request': (recording) => contacted(recording, 'nowhere'),

  'cancelled-in-back-off': async (recording) => cancelled(await inBackOff(recording)),

  'cancelled-in-back-off-after-unconfirmed': async (recording) =>
    cancelled(await inBackOffAfterUnconfirmed(recording)),

  'cancelled-during-a-post': (recording) => cancelledDuringPost(recording, 'files'),

  'cancelled-during-a-post-with-token-left': (recording) => cancelledDuringPost(recording, 'broken'),

  'cancelled-while-delivering': async (recording) =>
    cancelled(await reached(recording, 'away', 'delivering')),

  'cancelled-while-undelivered': async (recording) =>
    cancelled(await reached(recording, 'broken', 'undelivered')),

  async recovered(recording) {
    const closed = await cancelled(await reached(recording, 'broken', 'undelivered'));
    const sealedToken = (await createdToken(closed)) as SealedToken;
    const { orgId, sourceOrgId } = sealedToken;
    const request = recording.deployment.newRequest({ orgId, sourceOrgId });
    return settled(await recording.deployment.start(request, { sealedToken, sinksTried: ['broken'] }));
  },

  scheduled: (recording) => scheduled(recording, recording.deployment.newRequest()),

  async 'scheduled-while-token-recent'(recording) {
    const request = recording.deployment.newRequest();
    await scheduled(recording, request);
    return scheduled(recording, request);
  },

  async 'scheduled-while-running'(recording) {
    const request = recording.deployment.newRequest({ sink: 'broken' });
    await reached(recording, 'broken', 'undelivered', request);
    return scheduled(recording, request);
  },
};

async function scheduled({ temporal, deployment: { taskQueue } }: Recording, request: PrepareRequest) {
  const workflowId = `scheduled/${request.sourceOrgId}`;
  const options = { workflowId, taskQueue, args: [{ request }] };
  await temporal.client.workflow.execute(WORKFLOW_TYPES.prepareOnSchedule, options);
  return { workflowId };
}

/** However it ends. */
async function settled(handle: Handle): Promise<Handle> {
  await handle.result().catch(() => undefined);
  return handle;
}

async function ended({ atlas, deployment }: Recording, sink: string, ...faults: Fault[]) {
  atlas.faults(faults);
  return settled(await deployment.start(deployment.newRequest({ sink })));
}

async function reached(
  { deployment }: Recording,
  sink: string,
  step: 'delivering' | 'undelivered',
  request = deployment.newRequest({ sink }),
): Promise<Handle> {
  const handle = await deployment.start(request);
  await untilStep(handle, step);
  return handle;
}

async function contacted({ deployment }: Recording, sink: string) {
  const request = deployment.newRequest({ sink });
  await startAndAwait(deployment, request);
  return deployment.handleOf(request);
}

async function cancelled(handle: Handle): Promise<Handle> {
  await end(handle, 'cancel');
  return handle;
}

async function cancelledDuringPost({ atlas, deployment }: Recording, sink: string) {
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
    const { workflowId } = await scenario({ temporal, atlas, deployment });
    const history = historyToJSON(await temporal.client.workflow.getHandle(workflowId).fetchHistory());
    const { keys } = JSON.parse(readFileSync(deployment.keysFile, 'utf8')) as { keys: { k: string }[] };
    const text = JSON.stringify(withoutTraces(JSON.parse(history), deployment.folder), null, 1);
    const secrets = [...keys.map(({ k }) => k), ...atlas.createdTokens().map(({ linkToken }) => linkToken)];
    const found = findSecrets([textPlace(name, text)], new Map(secrets.map((secret) => [secret, secret])));
    if (found.length > 0) throw new Error(`a secret is in ${name}`);
    writeFileSync(path.join(FOLDER, `${name}.json`), `${text}\n`);
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
    if (named.length === 0) rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER, { recursive: true });
    for (const [name, scenario] of Object.entries(SCENARIOS)) {
      if (named.length === 0 || named.includes(name)) await record(name, scenario, temporal);
    }
  } finally {
    await temporal.stop();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`recording failed: ${String(error)} ${String((error as Error).cause)}\n`);
  process.exitCode = 1;
});
