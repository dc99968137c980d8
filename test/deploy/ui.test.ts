import { startStage, untilDetails, type Stage } from '../../dev/pictures/stage';
import { cleanUpLater } from '../support/clean-up';

jest.setTimeout(180_000);

let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
  cleanUpLater(() => stage.close());
});

it('an operator who opens an undelivered run in the UI finds the cause, the remedy and the next try', async () => {
  const page = await stage.open(`${await stage.play('undelivered')}/user-metadata`);
  const details = await untilDetails(page, 'Next try');
  expect(details).toContain('undelivered');
  expect(details).toMatch(
    /SinkUnavailable: the directory \/mnt\/nas\/link-tokens .* cannot be written \(ENOENT\)/,
  );
  expect(details).toMatch(
    /live-migration-prep redeliver --org 64f1c0ffee5eed0000000a71 --source-org 64f1c0ffee5eed000000\w+/,
  );
  expect(details).toMatch(/Next try: 20\d\d-\d\d-\d\dT/);
  await page.getByText('Running', { exact: false }).first().waitFor();
});

it('who opens a cancelled run that left a token finds how to deliver it', async () => {
  const page = await stage.open(`${await stage.play('cancelled')}/user-metadata`);
  const details = await untilDetails(page, 'is not confirmed as delivered');
  expect(details).toContain('remove its key in Atlas');
  expect(details).toMatch(/redeliver --org \w+ --source-org \w+ --run-id/);
});
