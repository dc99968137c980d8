/**
 * Records one history of each ending into test/replay/histories/, for the replay test:
 *
 *   node dev/setup.mjs && node --import tsx dev/record-histories.ts
 *
 * Record anew when a change of the workflows is meant to be incompatible with runs under way, never to make the replay
 * test pass. All of it runs on an embedded Temporal and the Atlas emulator, and keys are made for it.
 */
import { mkdirSync, readFileSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { credentialEnv, startTestAtlas, type TestAtlas } from '../test/support/atlas';
import { createDeployment, type Deployment, type Handle } from '../test/support/deployment';
import { pendingActivity } from '../test/support/ending';
import { eventually } from '../test/support/eventually';
import { startEmbeddedTemporal, type EmbeddedTemporal } from './embedded-temporal';

const ROOT = path.dirname(__dirname);
const HISTORIES_FOLDER = path.join(ROOT, 'test/replay/histories');

const on = 'linkTokens';

interface Stage {
  temporal: EmbeddedTemporal;
  atlas: TestAtlas;
  deployment: Deployment;
}

/** Returns the workflow id whose newest run is to be recorded. */
type Story = (stage: Stage) => Promise<string>;

const STORIES: Record<string, Story> = {
  delivered: (stage) => ended(stage),

  async 'delivered-after-retries'(stage) {
    stage.atlas.faults([
      { on, status: 500 },
      { on, status: 429 },
    ]);
    return ended(stage);
  },

  'invalid-request': (stage) => ended(stage, { sink: 'nowhere' }),

  async 'atlas-request-rejected'(stage) {
    stage.atlas.faults({ on, errorCode: 'ORG_REQUIRES_ACCESS_LIST' });
    return ended(stage);
  },

  async 'atlas-response-invalid'(stage) {
    stage.atlas.faults({ on, status: 201, body: {} });
    return ended(stage);
  },

  async 'atlas-unavailable'(stage) {
    stage.atlas.faults({ on, status: 500, times: 1000 });
    return ended(stage);
  },

  async 'atlas-unavailable-in-an-attempt'(stage) {
    stage.atlas.faults({ on, delayMs: 4000 });
    return ended(stage);
  },

  async 'sink-unavailable'(stage) {
    rmdirSync(stage.deployment.tokensFolder);
    return ended(stage);
  },

  async 'sink-rejected'({ deployment, ...stage }) {
    rmdirSync(deployment.tokensFolder);
    writeFileSync(deployment.tokensFolder, '');
    return ended({ deployment, ...stage });
  },

  async 'sealed-token-unreadable'(stage) {
    const handle = await untilWaitingForSink(stage);
    await stage.deployment.workers.at(-1)?.stop();
    rmSync(stage.deployment.keysFile);
    await stage.deployment.runClient('keys', '--file', stage.deployment.keysFile);
    await stage.deployment.startWorker();
    await settled(handle);
    return handle.workflowId;
  },

  async 'cancelled-while-creating-token-kept'({ atlas, deployment }) {
    atlas.faults({ on, delayMs: 1500 });
    const handle = await deployment.start();
    await eventually('a POST', () => atlas.posts().length === 1);
    await handle.cancel();
    await settled(handle);
    return handle.workflowId;
  },

  async 'cancelled-between-attempts'({ temporal, atlas, deployment }) {
    atlas.faults({ on, status: 429, headers: { 'Retry-After': '2' } });
    const handle = await deployment.start();
    await eventually('a wait', async () => {
      return (await pendingActivity(temporal.client, handle.workflowId))?.attempt === 2;
    });
    await handle.cancel();
    await settled(handle);
    return handle.workflowId;
  },

  async 'cancelled-while-delivering'(stage) {
    const handle = await untilWaitingForSink(stage);
    await handle.cancel();
    await settled(handle);
    return handle.workflowId;
  },

  async redelivered(stage) {
    rmdirSync(stage.deployment.tokensFolder);
    const workflowId = await ended(stage);
    mkdirSync(stage.deployment.tokensFolder);
    await stage.deployment.runClient('redeliver', '--workflow-id', workflowId);
    return workflowId;
  },

  async 'redelivery-failed'(stage) {
    rmdirSync(stage.deployment.tokensFolder);
    const workflowId = await ended(stage);
    await stage.deployment.runClient('redeliver', '--workflow-id', workflowId);
    return workflowId;
  },
};

/** However it ends. */
async function settled(handle: Handle): Promise<void> {
  await handle.result().catch(() => undefined);
}

async function ended({ deployment }: Stage, more = {}): Promise<string> {
  const handle = await deployment.start(deployment.newRequest(more));
  await settled(handle);
  return handle.workflowId;
}

async function untilWaitingForSink({ temporal, deployment }: Stage): Promise<Handle> {
  rmdirSync(deployment.tokensFolder);
  const handle = await deployment.start();
  await eventually('an unavailable sink', async () => {
    const pending = await pendingActivity(temporal.client, handle.workflowId);
    return pending?.type === 'deliverLinkToken' && pending.lastFailure;
  });
  return handle;
}

async function record(name: string, story: Story, temporal: EmbeddedTemporal): Promise<void> {
  const atlas = await startTestAtlas();
  const deployment = createDeployment({
    temporal,
    atlasUrl: atlas.url,
    orgId: atlas.account.orgId,
    env: credentialEnv(atlas.account, 'serviceAccount'),
    config: {
      retries: {
        create: { initialIntervalMs: 20, maximumIntervalMs: 100, giveUpAfterMs: 3000 },
        deliver: { initialIntervalMs: 20, maximumIntervalMs: 100, giveUpAfterMs: 3000 },
      },
    },
  });
  try {
    await deployment.startWorker();
    const workflowId = await story({ temporal, atlas, deployment });
    const history = historyToJSON(await temporal.client.workflow.getHandle(workflowId).fetchHistory());
    const { keys } = JSON.parse(readFileSync(deployment.keysFile, 'utf8')) as { keys: { k: string }[] };
    const text = JSON.stringify(withoutTraces(JSON.parse(history), deployment.folder), null, 1);
    const secrets = [...keys.map(({ k }) => k), ...atlas.createdTokens().map(({ linkToken }) => linkToken)];
    if (secrets.some((secret) => text.includes(secret))) throw new Error(`a secret is in ${name}`);
    writeFileSync(path.join(HISTORIES_FOLDER, `${name}.json`), `${text}\n`);
    process.stdout.write(`recorded ${name}\n`);
  } finally {
    await deployment.dispose();
    await atlas.close();
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
    rmSync(HISTORIES_FOLDER, { recursive: true, force: true });
    mkdirSync(HISTORIES_FOLDER, { recursive: true });
    for (const [name, story] of Object.entries(STORIES)) await record(name, story, temporal);
  } finally {
    await temporal.stop();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`recording failed: ${String(error)}\n`);
  process.exitCode = 1;
});
