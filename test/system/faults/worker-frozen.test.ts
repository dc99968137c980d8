import type { Fault } from '../../../dev/atlas-emulator';
import { readRun } from '../../../src/temporal/run-history';
import { eventually } from '../../support/eventually';
import type { Handle } from '../../support/installation';
import { createOwnOrganizations, type OwnOrganizations } from '../../support/organizations';
import { endingOf, redeliver } from '../../support/runs';
import { sharedTemporal } from '../../support/temporal';
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver';
import type { WorkerProcess } from '../../support/worker-process';

/** Longer than it takes to freeze a worker, however busy the machine is. */
const RESPONSE_MS = 10_000;
/** Long enough that only a frozen worker misses a heartbeat, however busy the machine is. */
const TIMEOUTS = { atlas: { requestTimeoutMs: 120_000 }, worker: { heartbeatTimeoutMs: 8000 } };

let own: OwnOrganizations;
let receiver: WebhookReceiver;
let worker: WorkerProcess;
beforeAll(async () => {
  receiver = await startWebhookReceiver();
  const config = { ...TIMEOUTS, sinks: { hangs: receiver.sink('hangs') } };
  own = await createOwnOrganizations(config, receiver.env);
  worker = await own.deployment.startWorker();
});

const freeze = () => process.kill(worker.pid, 'SIGSTOP');
const goOn = () => process.kill(worker.pid, 'SIGCONT');

it('a frozen worker finds a delivery that succeeded and a redelivery: one receipt for both', async () => {
  const request = own.newRequest({ sink: 'hangs' });
  const handle = await own.deployment.start(request);
  await eventually('an attempt', () => receiver.hanging(request) === 1);
  const before = own.deployment.tokenFiles();
  freeze();
  receiver.release(request);
  const redelivery = redeliver(handle, { sink: 'files' });
  // The worker finds both when it goes on.
  await eventually('the Update', async () => (await handle.describe()).raw.pendingWorkflowTask);
  goOn();
  const { receipt } = await endingOf(handle);
  expect(receipt).toMatchObject({ sink: 'hangs', alsoTried: [] });
  expect(await redelivery).toMatchObject({ receipt });
  expect(receiver.stored(request)).toHaveLength(1);
  expect(own.deployment.tokenFiles()).toEqual(before);
});

it.each<[title: string, takesOver: boolean, unconfirmedTokens: number]>([
  ['it goes on after a missed heartbeat: its token is delivered', false, 0],
  ['another takes over before it goes on: its token is counted', true, 1],
])(
  'a worker is frozen during a POST past its heartbeat timeout, and %s',
  async (_title, takesOver, unconfirmedTokens) => {
    const slow: Fault = { on: 'linkTokens', delayMs: RESPONSE_MS, afterCreating: true };
    const { request, handle } = await own.start(own.newRequest(), slow);
    await eventually('a token', () => own.created(request) === 1);
    freeze();
    await eventually('a missed heartbeat', async () => (await timeouts(handle)) === 1);
    await eventually('the response', () => own.atlas.posts().every(({ status }) => status !== null));
    const other = takesOver ? await own.deployment.startWorker() : null;
    if (other) await handle.result();
    goOn();
    expect(await endingOf(handle)).toMatchObject({ type: 'delivered', unconfirmedTokens });
    await other?.stop();
    expect(own.created(request)).toBe(unconfirmedTokens + 1);

    const { memo, runId } = await handle.describe();
    expect(memo).toMatchObject({ unconfirmedTokens });
    const { client } = await sharedTemporal();
    const { unconfirmedAttempts } = await readRun(client, { workflowId: handle.workflowId, runId });
    expect(unconfirmedAttempts).toHaveLength(unconfirmedTokens);
  },
);

/** Counts the attempts of a run that the server took for lost. */
async function timeouts(handle: Handle): Promise<number> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).filter((event) => event.activityTaskTimedOutEventAttributes).length;
}
