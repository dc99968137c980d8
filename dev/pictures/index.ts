/** Takes the pictures of the docs: real runs in Temporal's UI, in Chromium (CHROMIUM, else /usr/bin/chromium). */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { chromium, type Browser } from 'playwright-core';
import {
  DEFAULT_TASK_QUEUE,
  STATUS_QUERY,
  WORKFLOW_TYPES,
  workflowIdFor,
  type Step,
} from '../../src/contract/names';
import type { PrepareRequest, Status } from '../../src/contract/schemas';
import { DEFAULTS, startAtlasEmulator } from '../atlas-emulator';
import { startDemoWorker } from '../demo/worker';
import { startEmbeddedTemporal } from '../temporal/embedded-temporal';

const IMAGES = path.join(__dirname, '../../docs/images');

const POLL_INTERVAL_MS = 100;

const VIEWPORT = { width: 1480, height: 850 };
const NAVIGATION_HEIGHT = 50;

/** The sink's directory is missing, and a round of delivery is over at once. */
const CONFIG = `sinks:
  nas: {type: file, directory: /mnt/nas/link-tokens}
sealing:
  keys: {file: ./sealing-keys.json}
retries:
  deliver: {roundMs: 1000}
health: {port: 0}
`;

const REQUEST: PrepareRequest = {
  orgId: DEFAULTS.orgId,
  sourceOrgId: DEFAULTS.sourceOrgId,
  accessListIps: ['192.31.196.7', '192.175.48.0/24'],
  sink: 'nas',
  requestedBy: 'jo@example.com',
  changeReference: 'CHG-4711',
};

const cleanups: (() => unknown)[] = [];

async function takePictures(): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-pictures-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const temporal = await startEmbeddedTemporal({ ui: true, logFile: path.join(folder, 'temporal.log') });
  cleanups.push(() => temporal.stop());
  const atlas = await startAtlasEmulator();
  cleanups.push(() => atlas.close());
  const worker = await startDemoWorker({
    folder,
    temporalAddress: temporal.address,
    atlasUrl: atlas.url,
    config: CONFIG,
  });
  cleanups.push(() => worker.stop());
  const browser = await startBrowser();
  cleanups.push(() => browser.close());

  const runUrl = `${String(temporal.uiUrl)}/namespaces/default/workflows/${await undeliveredRun(temporal.client)}`;
  mkdirSync(IMAGES, { recursive: true });
  await picture(browser, runUrl, 'undelivered-run.png');
}

/** @returns the part of the run's page in the UI that names it. */
async function undeliveredRun(client: Client): Promise<string> {
  const handle = await client.workflow.start(WORKFLOW_TYPES.prepare, {
    workflowId: workflowIdFor(REQUEST.orgId, REQUEST.sourceOrgId),
    taskQueue: DEFAULT_TASK_QUEUE,
    args: [REQUEST],
  });
  const undelivered: Step = 'undelivered';
  while ((await handle.query<Status>(STATUS_QUERY)).step !== undelivered) await sleep(POLL_INTERVAL_MS);
  return `${encodeURIComponent(handle.workflowId)}/${handle.firstExecutionRunId}/user-metadata`;
}

/** Chromium as root needs --no-sandbox; the rest keeps it from looking for hosts of its vendor. */
function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** The page of an open run never stops loading, so this waits for what the run reports. */
async function picture(browser: Browser, url: string, file: string): Promise<void> {
  const page = await browser.newPage({ viewport: VIEWPORT, deviceScaleFactor: 1.25 });
  await page.goto(url);
  // Current details are rendered in a frame, the last one.
  await page.locator('iframe').last().contentFrame().getByText('Next try').waitFor();
  // Without the navigation beside the page.
  const backLink = await page.getByText('Back to Workflows').first().boundingBox();
  const x = (backLink?.x ?? 28) - 28;
  const clip = {
    x,
    y: NAVIGATION_HEIGHT,
    width: VIEWPORT.width - x,
    height: VIEWPORT.height - NAVIGATION_HEIGHT,
  };
  await page.screenshot({ path: path.join(IMAGES, file), clip, animations: 'disabled' });
  await page.close();
  process.stdout.write(`docs/images/${file}\n`);
}

takePictures()
  .catch((error: unknown) => {
    process.stderr.write(`no pictures: ${(error as Error).message}\n`);
    process.exitCode = 1;
  })
  .finally(async () => {
    for (let undo = cleanups.pop(); undo; undo = cleanups.pop()) await undo();
  });
