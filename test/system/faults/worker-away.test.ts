import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { install } from '../../support/installation';
import { endingOf, pendingActivity } from '../../support/runs';

const tooManyRequests = { on: 'linkTokens', status: 429 } as const;

it('a run without a worker at its deadline names the failure of its last attempt', async () => {
  const retries = { initialIntervalMs: 4000, giveUpAfterMs: 6000 };
  // With this setting, an attempt may take 64 s.
  const shortAttempts = { atlas: { requestTimeoutMs: 1000 } };
  const atlas = await startAtlas();
  const installation = await install({ atlas, config: { retries, ...shortAttempts } });
  const worker = await installation.startWorker();
  atlas.faults(tooManyRequests);
  const handle = await installation.start();
  // On a slow machine the run may have given up before it is seen to wait.
  await eventually('back-off or the end', async () => {
    const { status } = await handle.describe();
    return status.name !== 'RUNNING' || (await pendingActivity(handle))?.attempt === 2;
  });
  await worker.stop();
  await eventually('schedule-to-close', async () => (await pendingActivity(handle)) === null);
  await installation.startWorker();

  const message = expect.stringMatching(
    /^gave up: the retry deadline pass.*; last error: .*Atlas returned 429/,
  );
  expect(await endingOf(handle)).toMatchObject({ type: 'AtlasUnavailable', message });
});
