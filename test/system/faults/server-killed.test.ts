import path from 'node:path';
import { startDevServer } from '../../../dev/temporal/dev-server';
import { freePort } from '../../../dev/temporal/free-port';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { cleanUpLater, newFolder } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { startInstallation, type Handle } from '../../support/installation';
import { endingOf, redeliver, untilStep } from '../../support/runs';

const NEVER_MS = 300_000;

it('a token in creation and an undelivered one are delivered after Temporal was killed', async () => {
  const folder = newFolder();
  const server = {
    port: await freePort(),
    logFile: path.join(folder, 'temporal.log'),
    databaseFile: path.join(folder, 'temporal.db'),
  };
  const before = await startDevServer(server);
  const { atlas, deployment, worker } = await startInstallation({
    temporal: before,
    // The worker gives up on the result of its attempt: once that counts as lost, the same worker has its token.
    config: { atlas: { requestTimeoutMs: NEVER_MS }, worker: { heartbeatTimeoutMs: 10_000 } },
  });
  const rejected = deployment.newRequest({ sink: 'rejects' });
  await untilStep(await deployment.start(rejected), 'undelivered');
  atlas.faults({ on: 'linkTokens', delayMs: NEVER_MS, afterCreating: true });
  const created = deployment.newRequest();
  await deployment.start(created);
  await eventually('a token', () => atlas.created(created) === 1);

  await before.stop();
  atlas.clearFaults();
  await worker.untilOutput(/link-token received/);
  await worker.untilOutput(/while completing activity/);
  const after = await startDevServer(server);
  cleanUpLater(() => after.stop());
  const handleOf = (request: PrepareRequest): Handle =>
    after.client.workflow.getHandle(deployment.handleOf(request).workflowId);

  expect(await endingOf(handleOf(created))).toMatchObject({ type: 'delivered', unconfirmedTokens: 0 });
  const { receipt } = await redeliver(handleOf(rejected), { sink: 'files' });
  expect(await endingOf(handleOf(rejected))).toMatchObject({ receipt, unconfirmedTokens: 0 });
  for (const request of [created, rejected]) expect(atlas.created(request)).toBe(1);
});
