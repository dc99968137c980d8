import { setTimeout as sleep } from 'node:timers/promises';
import { endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { deploy, startAtlas } from '../../support/setting';

jest.setTimeout(180_000);

const RUNS = 50;

it('while 50 runs are in progress and workers restart one after the other: every token is delivered', async () => {
  const atlas = await startAtlas();
  // Slow enough that tokens are created before, during and after the rotation.
  atlas.faults({ on: 'linkTokens', delayMs: 1500, times: RUNS });
  const deployment = await deploy({ atlas });
  const first = await deployment.startWorker();
  const second = await deployment.startWorker();
  const handles = await Promise.all(Array.from({ length: RUNS }, () => deployment.start()));
  await eventually('the first POSTs', () => atlas.posts().length > 0);

  const rotated = await deployment.runClient('keys', '--file', deployment.keysFile, '--rotate');
  expect(rotated).toMatchObject({ code: 0, stderr: '' });
  await first.stop();
  await deployment.startWorker();
  const more = await Promise.all(Array.from({ length: RUNS }, () => deployment.start()));
  await sleep(1000);
  await second.stop();
  await deployment.startWorker();

  const endings = await Promise.all([...handles, ...more].map((handle) => endingOf(handle)));
  expect(endings.map(({ type }) => type)).toEqual(Array(2 * RUNS).fill('delivered'));
  expect(new Set(deployment.tokens())).toEqual(
    new Set(atlas.createdTokens().map(({ linkToken }) => linkToken)),
  );
});
