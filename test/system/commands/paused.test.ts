import { eventually } from '../../support/eventually';
import { endingOf } from '../../support/ending';
import { sharedTemporal, startSetting, type Setting } from '../../support/setting';
import { temporalCli } from '../../support/temporal-cli';
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver';

let setting: Setting;
let receiver: WebhookReceiver;

beforeAll(async () => {
  receiver = await startWebhookReceiver();
  const sinks = { files: { type: 'file', directory: 'tokens' }, slow: receiver.sink('hangs') };
  setting = await startSetting({ config: { sinks }, env: receiver.env });
});

const runTemporal = async (...args: string[]) => {
  const { address } = await sharedTemporal();
  expect(await temporalCli(address, ...args)).toMatchObject({ code: 0 });
};

/** Starts runs whose delivery hangs, pauses it, and replaces the worker. */
async function startPaused(runs: number) {
  const { deployment, worker } = setting;
  const requests = Array.from({ length: runs }, () => deployment.newRequest({ sink: 'slow' }));
  const paused = await Promise.all(
    requests.map(async (request) => {
      const handle = await deployment.start(request);
      await eventually('the delivery', () => receiver.hanging(request) > 0);
      const [pending] = (await handle.describe()).raw.pendingActivities ?? [];
      const target = ['--workflow-id', handle.workflowId, '--activity-id', String(pending?.activityId)];
      await runTemporal('activity', 'pause', ...target);
      return { handle, target };
    }),
  );
  await worker.kill();
  await deployment.startWorker();
  return paused;
}

it('a paused attempt whose worker was lost waits until it is unpaused: watch, redeliver and cancel say so, with the command', async () => {
  const { deployment } = setting;
  const [redelivered, cancelled] = await startPaused(2);
  if (!redelivered || !cancelled) throw new Error('two runs were started');
  const unpause = (target: string[]) =>
    `deliverLinkToken is paused; unpause it: temporal activity unpause ${target.join(' ')}`;
  const client = (command: string, { handle }: typeof redelivered, ...options: string[]) =>
    deployment.runClient(command, '--workflow-id', handle.workflowId, ...options);

  const watch = await client('watch', redelivered, '--timeout', '2s');
  expect(watch).toMatchObject({ code: 4 });
  expect(watch.stdout).toContain(`delivering, attempt 1; ${unpause(redelivered.target)}\n`);

  const redeliver = await client('redeliver', redelivered, '--sink', 'files', '--timeout', '2s');
  expect(redeliver).toMatchObject({ code: 4 });
  expect(redeliver.stderr).toContain(`note: ${unpause(redelivered.target)}\n`);
  await runTemporal('activity', 'unpause', ...redelivered.target);
  expect((await endingOf(redelivered.handle)).receipt).toMatchObject({ sink: 'files', alsoTried: ['slow'] });

  const cancel = await client('cancel', cancelled);
  expect(cancel).toMatchObject({ code: 0, stderr: `note: ${unpause(cancelled.target)}\n` });
  await runTemporal('activity', 'unpause', ...cancelled.target);
  expect(await endingOf(cancelled.handle)).toMatchObject({ type: 'Cancelled' });
});
