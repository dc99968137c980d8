/**
 * Takes the pictures of the docs: runs in Temporal's UI, in Chromium (CHROMIUM, else
 * /usr/bin/chromium).
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { startPictureRuns, untilDetails } from '../support/picture-runs';

const IMAGES = path.join(__dirname, '../../docs/images');

const VIEWPORT = { width: 1480, height: 850 };
const NAVIGATION_HEIGHT = 50;

/** The state of each run, and text that its current details show once they are there. */
const RUNS = [
  ['delivered', 'the token is in'],
  ['retrying', 'Next attempt'],
  ['undelivered', 'Next attempt'],
] as const;

/** That of docs/production.md. */
const FILTER = 'LinkTokenState IS NOT NULL OR LinkTokensUnconfirmed > 0';

async function takePictures(): Promise<void> {
  mkdirSync(IMAGES, { recursive: true });
  const runs = await startPictureRuns();
  try {
    for (const [state, details] of RUNS) {
      const page = await runs.open(`${await runs.bringTo(state)}/user-metadata`, VIEWPORT);
      // The page of an open run never stops loading, so this waits for what the run reports.
      await untilDetails(page, details);
      await picture(page, page.getByText('Back to Workflows'), `${state}-run.png`);
    }
    const list = await runs.open('/workflows', VIEWPORT);
    await list
      .getByText('prepareLiveMigration')
      .nth(RUNS.length - 1)
      .waitFor();
    await picture(list, list.locator('h1'), 'list.png');
    const filtered = await runs.open(`/workflows?query=${encodeURIComponent(FILTER)}`, VIEWPORT);
    // The run that needs nobody is not in it.
    await filtered
      .getByText('prepareLiveMigration')
      .nth(RUNS.length - 2)
      .waitFor();
    await picture(filtered, filtered.locator('h1'), 'filtered-list.png');
  } finally {
    await runs.close();
  }
}

/** Takes a picture without the navigation beside the page, which ends where `first` begins. */
async function picture(page: Page, first: Locator, file: string): Promise<void> {
  const beginning = await first.first().boundingBox();
  const { width, height } = page.viewportSize() ?? { width: 0, height: 0 };
  const x = Math.max((beginning?.x ?? 28) - 28, 0);
  const clip = { x, y: NAVIGATION_HEIGHT, width: width - x, height: height - NAVIGATION_HEIGHT };
  await page.screenshot({ path: path.join(IMAGES, file), clip, animations: 'disabled' });
  await page.close();
  process.stdout.write(`docs/images/${file}\n`);
}

takePictures().catch((error: unknown) => {
  process.stderr.write(`no pictures: ${(error as Error).message}\n`);
  process.exitCode = 1;
});
