/**
 * Real runs, and Chromium on Temporal's UI that shows them: for the pictures of the docs, and for
 * the UI's test.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium, type Page, type ViewportSize } from 'playwright-core';
import type { PrepareRequest, Status } from '../../src/contract/schemas';
import { summaryFor, workflowIdFor } from '../../src/contract/workflow-id';
import { statusQuery, DEFAULT_TASK_QUEUE, WORKFLOW_TYPES } from '../../src/contract/workflows';
import { DEFAULTS, startAtlasEmulator } from '../atlas-emulator';
import { startDevServer } from '../temporal/dev-server';
import { startDemoWorker } from './demo-worker';

const POLL_INTERVAL_MS = 100;

/**
 * The directory of `nas` is missing, and a round of delivery is over at once. Nothing is tried
 * again meanwhile.
 */
const CONFIG = `sinks:
  nas: {type: file, directory: /mnt/nas/link-tokens}
  drop: {type: file, directory: ./tokens}
sealing:
  keys: {file: ./sealing-keys.json}
retries:
  initialIntervalMs: 60000
  roundMs: 1000
health: {port: 0}
searchAttributes: true
`;

/** State that a run is brought to. */
const STATES = ['delivered', 'retrying', 'undelivered', 'cancelled'] as const;
type State = (typeof STATES)[number];

export interface PictureRuns {
  /** Opens a page of the UI, such as `/workflows`, below the namespace; 1280 by 720 by default. */
  open(page: string, viewport?: ViewportSize): Promise<Page>;
  /** Starts a run and waits until it has this state. Returns its page in the UI. */
  bringTo(state: State): Promise<string>;
  close(): Promise<void>;
}

export async function startPictureRuns(): Promise<PictureRuns> {
  const cleanups: (() => unknown)[] = [];
  const close = async () => {
    for (let undo = cleanups.pop(); undo; undo = cleanups.pop()) await undo();
  };
  try {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-pictures-'));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    const temporal = await startDevServer({
      ui: true,
      logFile: path.join(folder, 'temporal.log'),
      searchAttributes: { LinkTokenState: 'Keyword', LinkTokensUnconfirmed: 'Int' },
    });
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

    const start = async (request: PrepareRequest) =>
      temporal.client.workflow.start(WORKFLOW_TYPES.prepare, {
        workflowId: workflowIdFor(request),
        taskQueue: DEFAULT_TASK_QUEUE,
        args: [request],
        staticSummary: summaryFor(request),
      });

    return {
      async open(page, viewport) {
        const size = viewport ? { viewport, deviceScaleFactor: 1.25 } : {};
        const opened = await browser.newPage(size);
        await opened.goto(`${String(temporal.uiUrl)}/namespaces/default${page}`);
        return opened;
      },
      async bringTo(state) {
        if (state === 'retrying') atlas.faults({ on: 'linkTokens', status: 503 });
        const handle = await start(requestFor(state));
        const until = async (isThere: (status: Status) => boolean) => {
          while (!isThere(await handle.query(statusQuery))) await sleep(POLL_INTERVAL_MS);
        };
        if (state === 'delivered') await handle.result();
        else await until(({ nextAttemptAt }) => nextAttemptAt !== null);
        if (state === 'cancelled') {
          await handle.cancel();
          await handle.result().catch(() => undefined);
        }
        return `/workflows/${encodeURIComponent(handle.workflowId)}/${handle.firstExecutionRunId}`;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Each run has a source organization of its own, since each pair of organizations has one run. */
function requestFor(state: State): PrepareRequest {
  return {
    orgId: DEFAULTS.orgId,
    sourceOrgId: DEFAULTS.sourceOrgId.slice(0, -1) + String(1 + STATES.indexOf(state)),
    accessListIps: ['192.31.196.7', '192.175.48.0/24'],
    sink: state === 'undelivered' || state === 'cancelled' ? 'nas' : 'drop',
    requestedBy: 'jo@example.com',
    changeReference: 'CHG-4711',
  };
}

/** Chromium as root needs --no-sandbox; the rest keeps it from looking for hosts of its vendor. */
function startBrowser() {
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

const RELOAD_AFTER_MS = 15_000;
const MAX_LOADS = 4;

/**
 * Waits until the current details of a run say something, on its page `user-metadata`. The UI
 * renders them in a frame, the last one. It queries the run for them only once, so a page on which
 * the query failed is loaded again.
 *
 * @throws Error of Playwright.
 */
export async function untilDetails(page: Page, text: string): Promise<string> {
  for (let loads = 1; ; loads += 1) {
    const body = page.locator('iframe').last().contentFrame().locator('body');
    try {
      await body.getByText(text).first().waitFor({ timeout: RELOAD_AFTER_MS });
      return await body.innerText();
    } catch (error) {
      if (loads === MAX_LOADS) throw error;
      await page.reload();
    }
  }
}
