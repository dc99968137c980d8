import { freePort } from '../../dev/free-port';
import type { Fault } from '../../dev/atlas-emulator';
import { newAccount, startTestAtlas, type TestAtlas } from '../support/atlas';
import { atOnce } from '../support/at-once';
import { cleanUpLater } from '../support/clean-up';
import type { Deployment, Handle } from '../support/deployment';
import { endingOf, pendingActivity } from '../support/ending';
import { eventually } from '../support/eventually';
import { deploy, sharedTemporal, startAtlas } from '../support/setting';

/** The server misses a killed worker when heartbeats stay away for 10 s. */
jest.setTimeout(120_000);

const on = 'linkTokens';
const HANGS = { delayMs: 4000 };

const created = ({ atlas }: { atlas: TestAtlas }) => atlas.createdTokens().length;
const posts = (count: number) => (atlas: TestAtlas) => atlas.posts().length === count;

describe('the count of tokens that Atlas may have created unseen', () => {
  atOnce({
    async 'killed before the POST: one more than there are, never one less'() {
      const scene = await setScene({ on: 'oauth', ...HANGS });
      const handle = await scene.deployment.start();
      await killWorkerWhen(scene, (atlas) => atlas.requestsOn('oauth').length === 1);
      await scene.deployment.startWorker();
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 1 });
      expect(created(scene)).toBe(1);
    },

    async 'killed during the POST: one, and there is one'() {
      const scene = await setScene({ on, ...HANGS });
      const handle = await scene.deployment.start();
      await killWorkerWhen(scene, posts(1));
      await scene.deployment.startWorker();
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 1 });
      expect(created(scene)).toBe(2);
    },

    async 'killed after Atlas created, before its answer: one, and there is one'() {
      const scene = await setScene({ on, ...HANGS, afterCreating: true });
      const handle = await scene.deployment.start();
      await killWorkerWhen(scene, (atlas) => created({ atlas }) === 1);
      await scene.deployment.startWorker();
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 1 });
      expect(created(scene)).toBe(2);
    },

    async 'killed in two attempts: two'() {
      const scene = await setScene([
        { on, ...HANGS },
        { on, ...HANGS, afterCreating: true },
      ]);
      const handle = await scene.deployment.start();
      await killWorkerWhen(scene, posts(1));
      await scene.deployment.startWorker();
      await killWorkerWhen(scene, posts(2));
      await scene.deployment.startWorker();
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 2 });
      expect(created(scene)).toBe(3);
    },

    async 'a 500, a kill, a 429 and a refused connection, and then a token: two'() {
      const { account, port, deployment, ...scene } = await setScene([
        { on, status: 500 },
        { on, ...HANGS, afterCreating: true },
        { on, status: 429, headers: { 'Retry-After': '3' } },
      ]);
      const handle = await deployment.start();
      await killWorkerWhen({ atlas: scene.atlas, deployment }, posts(2));
      await deployment.startWorker();
      await eventually('the 429', () => posts(3)(scene.atlas), 40_000);
      const seenBefore = created(scene);
      await scene.atlas.close();
      await untilLastFailure(handle, /ECONNREFUSED/);
      const atlas = await startTestAtlas({ port, account });
      cleanUpLater(() => atlas.close());
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 2 });
      expect({ seenBefore, seenAfter: created({ atlas }) }).toEqual({ seenBefore: 1, seenAfter: 1 });
    },

    async 'killed, and no worker comes before the give-up time: one, in the failure'() {
      const config = { retries: { create: { initialIntervalMs: 20, giveUpAfterMs: 3000 } } };
      const scene = await setScene({ on, ...HANGS, afterCreating: true }, config);
      const handle = await scene.deployment.start();
      await killWorkerWhen(scene, posts(1));
      await eventually('the give-up time', async () => {
        const { client } = await sharedTemporal();
        return (await pendingActivity(client, handle.workflowId)) === null;
      });
      await scene.deployment.startWorker();
      const ending = await endingOf(handle);
      expect(ending).toMatchObject({ type: 'AtlasUnavailable', unconfirmedTokens: 1 });
      expect(ending.message).toMatch(/given up after the give-up time; last known: .*its worker was lost/);
      expect(created(scene)).toBe(1);
    },

    async 'a 500, and an attempt under way at the give-up time: two, and the last reason that Atlas gave'() {
      const config = { retries: { create: { initialIntervalMs: 20, giveUpAfterMs: 3500 } } };
      const scene = await setScene(
        [
          { on, status: 500 },
          { on, delayMs: 8000 },
        ],
        config,
      );
      const ending = await endingOf(await scene.deployment.start());
      expect(ending).toMatchObject({ type: 'AtlasUnavailable', unconfirmedTokens: 2 });
      expect(ending.message).toMatch(/given up after the give-up time; last known: Atlas answered 500/);
    },

    async 'nothing but 500 until the give-up time: one for each attempt, and the last reason'() {
      const config = { retries: { create: { initialIntervalMs: 1000, giveUpAfterMs: 4000 } } };
      const scene = await setScene({ on, status: 500, times: 1000 }, config);
      const ending = await endingOf(await scene.deployment.start());
      const attempts = scene.atlas.posts().length;
      expect(ending).toMatchObject({ type: 'AtlasUnavailable', unconfirmedTokens: attempts });
      expect(ending.message).toMatch(/Atlas answered 500 UNEXPECTED_ERROR/);
      expect(attempts).toBeGreaterThan(1);
    },
  });
});

async function setScene(faults: Fault | Fault[], config = {}) {
  const account = newAccount();
  const port = await freePort();
  const atlas = await startAtlas({ account, port });
  atlas.faults(faults);
  const deployment = await deploy({ atlas, config: { atlas: { requestTimeoutMs: 30_000 }, ...config } });
  await deployment.startWorker();
  return { atlas, account, port, deployment };
}

async function killWorkerWhen(
  { atlas, deployment }: { atlas: TestAtlas; deployment: Deployment },
  condition: (atlas: TestAtlas) => boolean,
): Promise<void> {
  await eventually('the moment to kill', () => condition(atlas), 60_000);
  await deployment.workers.at(-1)?.kill();
}

async function untilLastFailure(handle: Handle, expected: RegExp): Promise<void> {
  const { client } = await sharedTemporal();
  await eventually(`a failure like ${String(expected)}`, async () => {
    const pending = await pendingActivity(client, handle.workflowId);
    return pending?.lastFailure && expected.test(pending.lastFailure);
  });
}
