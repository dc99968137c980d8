import { atOnce } from '../../support/at-once';
import { FILE_SINKS } from '../../support/deployment';
import { endingOf, expectCounted, pendingActivity } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { newAddress } from '../../support/ids';
import { sharedTemporal, startSetting } from '../../support/setting';
import { redeliver } from '../../support/updates';
import { startWebhookReceiver } from '../../support/webhook-receiver';

/** The server gives a workflow task of a frozen worker to another after ten seconds, or after twenty. */
async function setScene() {
  const receiver = await startWebhookReceiver();
  const setting = await startSetting({
    env: receiver.env,
    config: {
      sinks: { ...FILE_SINKS, hangs: receiver.sink('hangs') },
      atlas: { requestTimeoutMs: 60_000 },
      worker: { heartbeatTimeoutMs: 8000 },
    },
  });
  return { ...setting, receiver };
}

/** A run whose worker is frozen from before the response that brings a token until the server has given up the attempt. */
async function freezeDuringPost({ atlas, deployment, worker }: Awaited<ReturnType<typeof setScene>>) {
  const { client } = await sharedTemporal();
  atlas.faults({ on: 'linkTokens', delayMs: 2000, afterCreating: true });
  const request = deployment.newRequest({ accessListIps: [newAddress()] });
  const handle = await deployment.start(request);
  await eventually('a token', () => atlas.created(request) === 1);
  process.kill(worker.pid, 'SIGSTOP');
  await eventually('a missed heartbeat', async () => {
    return (await pendingActivity(client, handle.workflowId)) === null;
  });
  return {
    handle,
    expectOneUnconfirmed: async () => {
      const ending = await endingOf(handle);
      expect(ending).toMatchObject({ type: 'delivered', unconfirmedTokens: 1 });
      expect(atlas.created(request)).toBe(2);
      expectCounted(ending, 2);
    },
  };
}

describe('a worker is frozen', () => {
  atOnce({
    async 'during a POST, past its heartbeat timeout, and goes on: the token that it received is counted'() {
      const scene = await setScene();
      const { expectOneUnconfirmed } = await freezeDuringPost(scene);
      process.kill(scene.worker.pid, 'SIGCONT');
      await expectOneUnconfirmed();
    },

    async 'and another worker takes over before it goes on: the same'() {
      const scene = await setScene();
      const { handle, expectOneUnconfirmed } = await freezeDuringPost(scene);
      await scene.deployment.startWorker();
      await handle.result();
      process.kill(scene.worker.pid, 'SIGCONT');
      await expectOneUnconfirmed();
    },

    async 'while a delivery succeeds and a redelivery to another sink comes: one receipt, which its caller gets too'() {
      const { receiver, deployment, worker } = await setScene();
      const request = deployment.newRequest({ sink: 'hangs' });
      const handle = await deployment.start(request);
      await eventually('an attempt', () => receiver.hanging(request) === 1);
      process.kill(worker.pid, 'SIGSTOP');
      receiver.release(request);
      const redelivery = redeliver(handle, { sink: 'files' });
      // The worker finds both when it goes on.
      await eventually('the Update', async () => (await handle.describe()).raw.pendingWorkflowTask);
      process.kill(worker.pid, 'SIGCONT');
      const { receipt } = await endingOf(handle);
      expect(receipt).toMatchObject({ sink: 'hangs', alsoTried: [] });
      expect(await redelivery).toMatchObject({ receipt });
      expect(receiver.stored(request)).toHaveLength(1);
      expect(deployment.tokens()).toEqual([]);
    },
  });
});
