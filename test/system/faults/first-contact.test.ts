import { existsSync } from 'node:fs';
import path from 'node:path';
import { endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { newAddress } from '../../support/ids';
import { deploy, startAtlas } from '../../support/installation';
import { replayRun } from '../../support/replay';
import { startAndAwait } from '../../support/updates';

const STALLED_VALIDATION = path.join(__dirname, '../../support/stalled-validation.cjs');

it('first contact whose worker is killed during validation: the receipt from the next worker, one token; it replays', async () => {
  const atlas = await startAtlas();
  const deployment = await deploy({ atlas });
  const began = path.join(deployment.folder, 'validation-began');
  const worker = await deployment.startWorker({
    NODE_OPTIONS: `--require ${STALLED_VALIDATION}`,
    STALLED_VALIDATION: began,
  });
  const request = deployment.newRequest({ accessListIps: [newAddress()] });
  const outcome = startAndAwait(deployment, request);
  await eventually('validation', () => existsSync(began));
  await worker.kill();
  await deployment.startWorker();
  const { receipt } = await outcome;
  expect(await endingOf(deployment.handleOf(request))).toMatchObject({ type: 'delivered', receipt });
  expect(atlas.created(request)).toBe(1);
  await replayRun(deployment.handleOf(request));
});
