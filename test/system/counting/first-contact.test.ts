import { existsSync } from 'node:fs';
import path from 'node:path';
import { atOnce } from '../../support/at-once';
import type { TestAtlas } from '../../support/atlas';
import type { Deployment } from '../../support/deployment';
import { endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { newAddress } from '../../support/ids';
import { replayRun } from '../../support/replay';
import { deploy, startSetting } from '../../support/setting';
import { startAndAwait } from '../../support/updates';

const STALLED_VALIDATION = path.join(__dirname, '../../support/stalled-validation.cjs');

let atlas: TestAtlas;
let deployment: Deployment;

beforeAll(async () => {
  ({ atlas, deployment } = await startSetting());
});

const newRequest = (more = {}) => deployment.newRequest({ accessListIps: [newAddress()], ...more });

describe('first contact: a start together with awaitDelivery, which replays', () => {
  atOnce({
    async 'of an invalid request: InvalidRequest, for the caller as for the run'() {
      const request = newRequest({ sink: 'nowhere' });
      const handle = deployment.handleOf(request);
      const { type, message } = await startAndAwait(deployment, request);
      expect(type).toBe('InvalidRequest');
      expect(await endingOf(handle)).toMatchObject({ type, message });
      expect(atlas.created(request)).toBe(0);
      await replayRun(handle);
    },

    async 'whose Update differs from its start: refused, and the run goes on'() {
      const request = newRequest();
      const handle = deployment.handleOf(request);
      const other = { ...request, sink: 'rejects' };
      expect(await startAndAwait(deployment, request, other)).toMatchObject({ type: 'OtherRequest' });
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered' });
      expect(atlas.created(request)).toBe(1);
      await replayRun(handle);
    },

    async 'whose worker is killed during validation: the receipt from the next worker, one token'() {
      const own = await deploy({ atlas });
      const began = path.join(own.folder, 'validation-began');
      const worker = await own.startWorker({
        NODE_OPTIONS: `--require ${STALLED_VALIDATION}`,
        STALLED_VALIDATION: began,
      });
      const request = own.newRequest({ accessListIps: [newAddress()] });
      const outcome = startAndAwait(own, request);
      await eventually('validation', () => existsSync(began));
      await worker.kill();
      await own.startWorker();
      const { receipt } = await outcome;
      expect(await endingOf(own.handleOf(request))).toMatchObject({ type: 'delivered', receipt });
      expect(atlas.created(request)).toBe(1);
      await replayRun(own.handleOf(request));
    },
  });
});
