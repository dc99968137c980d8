import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { deploy } from '../../support/installation';
import { pendingActivity } from '../../support/runs';

const RUNS = 8;

it(`the key rotates in one of two workers while ${RUNS} runs are in progress: all deliver`, async () => {
  const atlas = await startAtlas();
  const retries = { deliver: { initialIntervalMs: 500, maximumIntervalMs: 2000, roundMs: 600_000 } };
  const deployment = await deploy({ atlas, config: { retries } });
  const first = await deployment.startWorker();
  // The keys of the second come from its environment, so it cannot read a new one before it is restarted.
  deployment.configure({ retries, sealing: {} });
  const keys = readFileSync(deployment.keysFile, 'utf8');
  const second = await deployment.startWorker({ LIVE_MIGRATION_PREP_SEALING_KEYS: keys });
  deployment.configure({ retries });
  // Created, and their sink is away.
  rmdirSync(deployment.tokensFolder);
  const start = (count: number) => Promise.all(Array.from({ length: count }, () => deployment.start()));
  const before = await start(RUNS / 2);
  await eventually('tokens', () => atlas.createdTokens().length === RUNS / 2);

  const rotation = await deployment.runClient('keys', '--file', deployment.keysFile, '--rotate');
  expect(rotation).toMatchObject({ code: 0, stderr: '' });
  await first.stop();
  await deployment.startWorker();
  const after = await start(RUNS / 2);
  await eventually('a token of the new key at the second worker', async () => {
    const pending = await Promise.all(after.map(pendingActivity));
    return pending.some((activity) => activity?.lastFailure?.includes('which this worker does not have'));
  });
  mkdirSync(deployment.tokensFolder);
  await second.stop();
  await deployment.startWorker();

  const receipts = await Promise.all([...before, ...after].map((handle) => handle.result()));
  expect(receipts.map(({ unconfirmedTokens }) => unconfirmedTokens)).toEqual(Array(RUNS).fill(0));
  const created = atlas.createdTokens().map(({ linkToken }) => linkToken);
  expect(deployment.tokens().sort()).toEqual(created.sort());
});
