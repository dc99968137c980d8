import { setTimeout as sleep } from 'node:timers/promises';
import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { install } from '../../support/installation';
import { endingOf, operate, pendingActivity, untilBackOff } from '../../support/runs';

const tooManyRequests = { on: 'linkTokens', status: 429 } as const;

/**
 * Starts a run, and stops its worker while the next attempt waits. A paused attempt waits however
 * long the worker takes to stop.
 */
async function startWithoutWorker(retries: object) {
  const atlas = await startAtlas();
  const installation = await install({ atlas, config: { retries } });
  const worker = await installation.startWorker();
  atlas.faults(Array(100).fill(tooManyRequests));
  const handle = await installation.start();
  await untilBackOff(handle);
  await operate(handle, 'pause');
  await worker.stop();
  const posts = atlas.posts().length;
  const startWorker = async () => {
    atlas.clearFaults();
    await operate(handle, 'unpause');
    await installation.startWorker();
  };
  return { handle, startWorker, newPosts: () => atlas.posts().slice(posts) };
}

it.concurrent('a run that is cancelled while no worker runs sends no further POST', async () => {
  const retries = { initialIntervalMs: 60_000 };
  const { handle, startWorker, newPosts } = await startWithoutWorker(retries);
  await handle.cancel();
  await startWorker();
  expect(await endingOf(handle)).toMatchObject({ type: 'CANCELLED' });
  expect(newPosts()).toEqual([]);
});

it.concurrent('an attempt that begins after the deadline sends no POST', async () => {
  const retries = { initialIntervalMs: 5000, giveUpAfterMs: 10_000 };
  const { handle, startWorker, newPosts } = await startWithoutWorker(retries);
  await sleep(retries.giveUpAfterMs);
  await startWorker();
  expect(await endingOf(handle)).toMatchObject({
    type: 'AtlasUnavailable',
    message: expect.stringMatching(/^gave up: the retry deadline passed; last error: /),
  });
  expect(newPosts()).toEqual([]);
});

it.concurrent(
  'a run without a worker at its deadline names the failure of its last attempt',
  async () => {
    const retries = { initialIntervalMs: 4000, giveUpAfterMs: 6000 };
    // With these settings, an attempt may take 14 s.
    const shortAttempts = {
      atlas: { requestTimeoutMs: 1000 },
      worker: { heartbeatTimeoutMs: 3000 },
    };
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
  },
);
