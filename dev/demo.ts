/**
 * Tells three stories on real parts: a Temporal server, the Atlas emulator, a worker process and its file sink.
 *
 *   npm run demo [-- --keep]
 */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { CommandError } from '../src/commands/command-error';
import { staticMetadata } from '../src/commands/start';
import { createOutput } from '../src/commands/output';
import { watch } from '../src/commands/watch';
import { DEFAULT_TASK_QUEUE, WORKFLOW_TYPES, workflowIdFor, type Receipt } from '../src/contract/names';
import { DEFAULTS, startAtlasEmulator, type AtlasEmulator } from './atlas-emulator';
import { startDemoWorker } from './demo-worker';
import { startEmbeddedTemporal, type EmbeddedTemporal } from './embedded-temporal';

const ORG_ID = DEFAULTS.orgId;
/** Documentation addresses (RFC 5737). */
const ACCESS_LIST_IPS = ['203.0.113.7', '198.51.100.0/24'];

interface Story {
  title: string;
  /** Each story has a source organization of its own, and so a workflow id of its own. */
  sourceOrgId: string;
  prepare(atlas: AtlasEmulator): void;
  endsWell: boolean;
}

const STORIES: readonly Story[] = [
  {
    title: 'a clean run',
    sourceOrgId: '64f1c0ffee5eed0000005c01',
    prepare: () => undefined,
    endsWell: true,
  },
  {
    title: 'Atlas answers 500 twice, and then with a token: Temporal tries again',
    sourceOrgId: '64f1c0ffee5eed0000005c02',
    prepare: (atlas) =>
      atlas.faults({
        on: 'linkTokens',
        times: 2,
        status: 500,
        errorCode: 'UNEXPECTED_ERROR',
        detail: 'Unexpected error.',
      }),
    endsWell: true,
  },
  {
    title: 'Atlas answers 403: trying again would not help, so the run stops at once and says why',
    sourceOrgId: '64f1c0ffee5eed0000005c03',
    prepare: (atlas) =>
      atlas.faults({
        on: 'linkTokens',
        status: 403,
        errorCode: 'IP_ADDRESS_NOT_ON_ACCESS_LIST',
        detail: 'IP address 192.0.2.1 is not allowed to access this resource.',
      }),
    endsWell: false,
  },
];

/** Undone in the opposite order, whether the demo ends well, badly or by Ctrl-C. */
const cleanups: (() => unknown)[] = [];

async function cleanUp(): Promise<void> {
  for (let undo = cleanups.pop(); undo; undo = cleanups.pop()) await undo();
}

async function demo(keep: boolean): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-demo-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));

  say('starting a Temporal server, the Atlas emulator and a worker');
  const [temporal, atlas] = await Promise.all([
    startEmbeddedTemporal({ ui: true, logFile: path.join(folder, 'temporal.log') }).then((started) => {
      cleanups.push(() => started.stop());
      return started;
    }),
    startAtlasEmulator().then((started) => {
      cleanups.push(() => started.close());
      return started;
    }),
  ]);
  const worker = await startDemoWorker({ folder, temporalAddress: temporal.address, atlasUrl: atlas.url });
  cleanups.push(() => worker.stop());

  for (const [index, story] of STORIES.entries()) {
    say(`\nStory ${index + 1}: ${story.title}`);
    story.prepare(atlas);
    await tell(story, temporal);
  }
  await showWhereTheTokenIs(temporal);
  say(
    `\nThe Temporal UI shows every run in the same words: ${keep ? String(temporal.uiUrl) : 'npm run demo -- --keep'}`,
  );
  if (keep) {
    say(`Atlas emulator: ${atlas.url}; files: ${folder}. All of it runs on until Ctrl-C.`);
    await new Promise(() => undefined);
  }
}

/** @throws Error when the story ends otherwise than it is told. */
async function tell({ sourceOrgId, endsWell }: Story, { client }: EmbeddedTemporal): Promise<void> {
  const workflowId = workflowIdFor(ORG_ID, sourceOrgId);
  const request = { orgId: ORG_ID, sourceOrgId, accessListIps: ACCESS_LIST_IPS, sink: 'files' };
  await client.workflow.start(WORKFLOW_TYPES.prepare, {
    workflowId,
    taskQueue: DEFAULT_TASK_QUEUE,
    args: [request],
    ...staticMetadata(request),
  });
  try {
    await watch(client, workflowId, createOutput(false));
  } catch (error) {
    if (endsWell || !(error instanceof CommandError)) throw error;
    say(`stopped: ${error.message}`);
    return;
  }
  if (!endsWell) throw new Error('the run ended well, and should not have');
}

async function showWhereTheTokenIs({ client }: EmbeddedTemporal): Promise<void> {
  const workflowId = workflowIdFor(ORG_ID, STORIES[0]?.sourceOrgId);
  const receipt = (await client.workflow.getHandle(workflowId).result()) as Receipt;
  const file = /^file (.*) on the worker's host$/.exec(receipt.location)?.[1] ?? '';
  const mode = (statSync(file).mode & 0o777).toString(8).padStart(4, '0');
  say(`\nReceipt of story 1, which is all a caller sees:\n${JSON.stringify(receipt, null, 2)}`);
  say(`\nThe token itself is in one place: ${file} (mode ${mode}, ${readFileSync(file).length} bytes)`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void cleanUp().then(() => process.exit(process.argv.includes('--keep') ? 0 : 130));
  });
}

demo(process.argv.includes('--keep'))
  .catch((error: unknown) => {
    process.stderr.write(`the demo failed: ${(error as Error).message}\n`);
    process.exitCode = 1;
  })
  .finally(cleanUp);
