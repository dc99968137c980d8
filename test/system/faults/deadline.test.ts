import type { Fault } from '../../../dev/atlas-emulator';
import type { PrepareRequest } from '../../../src/contract/schemas';
import type { Handle } from '../../support/deployment';
import { endingOf, expectCounted, pendingActivity, untilBackOff } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { newAddress } from '../../support/ids';
import { startInstallation } from '../../support/installation';

/** Time for the first attempt on a busy machine, and less than the heartbeat timeout, so that a lost attempt ends past it. */
const GIVE_UP_AFTER_MS = 7000;

const on = 'linkTokens';
const lost: Fault = { on, reset: 'before-body', afterCreating: true };
/** From before the deadline until after it. */
const delayMs = GIVE_UP_AFTER_MS + 2000;

const config = {
  retries: { create: { initialIntervalMs: 100, maximumIntervalMs: 1000, giveUpAfterMs: GIVE_UP_AFTER_MS } },
  atlas: { requestTimeoutMs: 60_000 },
  worker: { heartbeatTimeoutMs: 8000 },
};

interface Run {
  request: PrepareRequest;
  handle: Handle;
}

async function setScene() {
  const { atlas, deployment, worker } = await startInstallation({ config });
  return {
    atlas,
    deployment,
    worker,
    /** Starts a run and waits until it has met the fault. */
    start: async (fault: Fault): Promise<Run> => {
      const request = deployment.newRequest({ accessListIps: [newAddress()] });
      atlas.faults(fault);
      const handle = await deployment.start(request);
      await eventually('the fault', () => atlas.state().faults.length === 0);
      return { request, handle };
    },
    ending: async ({ request, handle }: Run) => {
      const ending = await endingOf(handle);
      const created = atlas.created(request);
      expectCounted(ending, created);
      return { ...ending, created };
    },
  };
}

describe('at the deadline', () => {
  it.concurrent('a POST under way is awaited: its token is delivered, or its loss is counted', async () => {
    const { start, ending } = await setScene();
    const brings = await start({ on, delayMs });
    const loses = await start({ ...lost, delayMs });
    expect(await ending(brings)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0, created: 1 });
    expect(await ending(loses)).toMatchObject({
      type: 'AtlasUnavailable',
      unconfirmedTokens: 1,
      created: 1,
    });
  });

  it.concurrent(
    'and a worker that is frozen during a POST until past it: the token that it received is delivered',
    async () => {
      const { atlas, worker, start, ending } = await setScene();
      const freezes = await start({ on, delayMs: 2000, afterCreating: true });
      await eventually('a token', () => atlas.created(freezes.request) === 1);
      process.kill(worker.pid, 'SIGSTOP');
      await eventually('a missed heartbeat', async () => (await pendingActivity(freezes.handle)) === null);
      process.kill(worker.pid, 'SIGCONT');
      expect(await ending(freezes)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0, created: 1 });
    },
  );

  it.concurrent(
    'and no worker until past it: AtlasUnavailable as soon as one is back, and no further POST',
    async () => {
      const { atlas, deployment, worker, start, ending } = await setScene();
      const vanishes = await start({ on, delayMs: 60_000, afterCreating: true });
      const waits = await start({ on, status: 429, headers: { 'Retry-After': '2' } });
      await untilBackOff(waits.handle);
      await worker.kill();
      await eventually('a missed heartbeat', async () => (await pendingActivity(vanishes.handle)) === null);
      const posts = atlas.posts().length;
      await deployment.startWorker();
      const ended = await ending(vanishes);
      expect(ended).toMatchObject({ type: 'AtlasUnavailable', unconfirmedTokens: 1, created: 1 });
      expect(ended.message).toMatch(
        /^gave up: the retry deadline passed; last error: an attempt ended without/,
      );
      expect(await ending(waits)).toMatchObject({
        type: 'AtlasUnavailable',
        message: expect.stringMatching(/^gave up: the retry deadline passed, .* start again$/),
        unconfirmedTokens: 0,
        created: 0,
      });
      expect(atlas.posts()).toHaveLength(posts);
    },
  );
});
