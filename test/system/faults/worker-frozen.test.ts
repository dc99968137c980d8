import type { Fault } from '../../../dev/atlas-emulator';
import { readRun } from '../../../src/temporal/read-history';
import { eventually } from '../../support/eventually';
import { startOwnOrganizations, type OwnOrganizations } from '../../support/organizations';
import { endingOf, loseAttempts, redeliver } from '../../support/runs';
import { startHangingWebhook } from '../../support/sinks';
import { sharedTemporal } from '../../support/temporal';

const NEVER_MS = 300_000;

let webhook: Awaited<ReturnType<typeof startHangingWebhook>>;
let own: OwnOrganizations;
beforeAll(async () => {
  webhook = await startHangingWebhook();
  const { sink: hangs, env } = webhook;
  own = await startOwnOrganizations({
    config: { atlas: { requestTimeoutMs: NEVER_MS }, sinks: { hangs } },
    env,
  });
});

const freeze = () => process.kill(own.worker.pid, 'SIGSTOP');
const goOn = () => process.kill(own.worker.pid, 'SIGCONT');

it('a redelivery gets the receipt of a delivery that succeeds in a frozen worker', async () => {
  const { handle } = await own.start(own.newRequest({ sink: 'hangs' }));
  const response = await eventually('an attempt', () => webhook.responses[0]);
  const before = own.installation.tokenFiles();
  freeze();
  response.writeHead(204).end();
  const redelivery = redeliver(handle, { sink: 'files' });
  // The worker finds both when it goes on.
  await eventually('the Update', async () => (await handle.describe()).raw.pendingWorkflowTask);
  goOn();
  const { receipt } = await endingOf(handle);
  expect(receipt).toMatchObject({ sink: 'hangs', alsoTried: [] });
  expect(await redelivery).toMatchObject({ receipt });
  expect(webhook.responses).toHaveLength(1);
  expect(own.installation.tokenFiles()).toEqual(before);
});

it('a token that arrives while its worker is frozen past its heartbeat timeout is counted', async () => {
  const slow: Fault = { on: 'linkTokens', delayMs: NEVER_MS, afterCreating: true };
  const { request, handle } = await own.start(own.newRequest(), slow);
  await eventually('a token', () => own.atlas.created(request) === 1);
  freeze();
  await loseAttempts(handle);
  own.atlas.clearFaults();
  await eventually('the response', () => own.atlas.posts().every(({ status }) => status !== null));
  goOn();
  expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens: 1 });
  expect(own.atlas.created(request)).toBe(2);

  const run = await handle.describe();
  expect(run.memo).toMatchObject({ unconfirmedTokens: 1 });
  const { client } = await sharedTemporal();
  expect((await readRun(client, run)).unconfirmedAttempts).toHaveLength(1);
});
