import { atOnce } from '../../support/at-once';
import type { TestAtlas } from '../../support/atlas';
import type { Deployment } from '../../support/deployment';
import { endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { startSetting } from '../../support/setting';
import { redeliver, untilStep } from '../../support/updates';

function expectOneToken(atlas: TestAtlas, deployment: Deployment): void {
  expect(atlas.createdTokens()).toHaveLength(1);
  expect(deployment.tokens()).toEqual(atlas.createdTokens().map(({ linkToken }) => linkToken));
}

describe('a token survives', () => {
  atOnce({
    async 'SIGTERM during the POST: the worker waits for the response, the next one delivers'() {
      const { atlas, deployment, worker } = await startSetting();
      atlas.faults({ on: 'linkTokens', delayMs: 2500 });
      const handle = await deployment.start();
      await eventually('a POST', () => atlas.posts().length === 1);
      expect(await worker.stop()).toEqual({ code: 0, signal: null });
      await deployment.startWorker();
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
      expectOneToken(atlas, deployment);
    },

    async 'SIGKILL while the run is undelivered: redelivery by the next worker'() {
      const { atlas, deployment, worker } = await startSetting();
      const handle = await deployment.start(deployment.newRequest({ sink: 'rejects' }));
      await untilStep(handle, 'undelivered');
      await worker.kill();
      await deployment.startWorker();
      await redeliver(handle, { sink: 'files' });
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
      expectOneToken(atlas, deployment);
    },
  });
});
