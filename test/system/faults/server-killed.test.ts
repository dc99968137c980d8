import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startEmbeddedTemporal, type EmbeddedTemporal } from '../../../dev/temporal/embedded-temporal';
import { freePort } from '../../../dev/temporal/free-port';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { cleanUpLater } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { newAddress } from '../../support/ids';
import { startInstallation, type Handle } from '../../support/installation';
import { endingOf, redeliver, untilStep } from '../../support/runs';

it('a server is killed during a POST and while another token is undelivered: both are delivered', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-server-'));
  cleanUpLater(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  const startServer = (): Promise<EmbeddedTemporal> =>
    startEmbeddedTemporal({
      port,
      logFile: path.join(folder, 'temporal.log'),
      databaseFile: path.join(folder, 'temporal.db'),
    });
  const before = await startServer();
  const { atlas, deployment, worker } = await startInstallation({ temporal: before });
  const rejected = deployment.newRequest({ sink: 'rejects', accessListIps: [newAddress()] });
  await untilStep(await deployment.start(rejected), 'undelivered');
  atlas.faults({ on: 'linkTokens', delayMs: 4000, afterCreating: true });
  const created = deployment.newRequest({ accessListIps: [newAddress()] });
  await deployment.start(created);
  await eventually('a token', () => atlas.created(created) === 1);

  await before.stop();
  await worker.untilOutput(/link-token received/);
  await worker.untilOutput(/while completing activity/);
  const after = await startServer();
  cleanUpLater(() => after.stop());
  const handleOf = (request: PrepareRequest): Handle =>
    after.client.workflow.getHandle(deployment.handleOf(request).workflowId);

  expect(await endingOf(handleOf(created))).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
  expect(atlas.created(created)).toBe(1);
  const { receipt } = await redeliver(handleOf(rejected), { sink: 'files' });
  expect(await endingOf(handleOf(rejected))).toMatchObject({
    type: 'delivered',
    unconfirmedTokens: 0,
    receipt,
  });
  expect(atlas.created(rejected)).toBe(1);
});
