import type { Locator } from 'playwright-core';
import { startPictureRuns, untilDetails, type PictureRuns } from '../../dev/support/picture-runs';
import { cleanUpLater } from '../support/clean-up';

jest.setTimeout(180_000);

let runs: PictureRuns;
/** The page of an undelivered run. */
let undelivered: string;

beforeAll(async () => {
  runs = await startPictureRuns();
  cleanUpLater(() => runs.close());
  undelivered = await runs.bringTo('undelivered');
});

it('the UI shows the cause, the remedy and the next attempt of an undelivered run', async () => {
  const page = await runs.open(`${undelivered}/user-metadata`);
  const details = await untilDetails(page, 'Next attempt');
  expect(details).toContain('undelivered');
  expect(details).toMatch(
    /SinkUnavailable: the directory \/mnt\/nas\/link-tokens .* cannot be written \(ENOENT\)/,
  );
  expect(details).toMatch(
    /live-migration-prep redeliver 64f1c0ffee5eed0000000a71\/64f1c0ffee5eed000000\w+/,
  );
  expect(details).toMatch(/Next attempt: 20\d\d-\d\d-\d\dT/);
  await page.getByText('Running', { exact: false }).first().waitFor();
});

it('the UI shows that a cancelled run left no API key', async () => {
  const page = await runs.open(`${await runs.bringTo('cancelled')}/user-metadata`);
  const details = await untilDetails(page, 'is worthless');
  expect(details).toMatch(/since its API key \w+ is gone; it may be in sink nas/);
});

it('"Send an Update" in the UI delivers an undelivered token to another sink', async () => {
  const page = await runs.open(`${undelivered}/history`);
  // The UI keeps every form on the page, hidden.
  const visible = (what: Locator) => what.filter({ visible: true }).last();
  await page.getByRole('button', { name: 'More Actions' }).click();
  await visible(page.getByText('Send an Update')).click();
  await visible(page.getByTestId('update-select')).locator('..').click();
  await visible(page.getByText('redeliver', { exact: true })).click();
  await visible(page.locator('[contenteditable=true]')).click();
  await page.keyboard.type('{"sink": "drop"}');
  await visible(page.getByRole('button', { name: 'Submit' })).click();
  await page.getByText('Completed', { exact: true }).first().waitFor();
});
