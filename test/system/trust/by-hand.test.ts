import { eventually } from '../../support/eventually';
import { startSetting, sharedTemporal, type Setting } from '../../support/setting';
import { temporalCli } from '../../support/temporal-cli';
import { redeliver, untilStep } from '../../support/updates';
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver';

let setting: Setting;
let receiver: WebhookReceiver;

beforeAll(async () => {
  receiver = await startWebhookReceiver();
  const sinks = { files: { type: 'file', directory: 'tokens' }, slow: receiver.sink('hangs') };
  setting = await startSetting({ config: { sinks }, env: receiver.env });
});

/** Starts a run whose delivery hangs, and has Temporal's command line end that activity. */
async function endDelivery(how: 'complete' | 'fail', ...options: string[]) {
  const { deployment } = setting;
  const request = deployment.newRequest({ sink: 'slow' });
  const handle = await deployment.start(request);
  await eventually('the delivery', () => receiver.hanging(request) > 0);
  const [pending] = (await handle.describe()).raw.pendingActivities ?? [];
  const { address } = await sharedTemporal();
  const target = ['--workflow-id', handle.workflowId, '--activity-id', String(pending?.activityId)];
  expect(await temporalCli(address, 'activity', how, ...target, ...options)).toMatchObject({ code: 0 });
  const status = await untilStep(handle, 'undelivered');
  const redelivered = await redeliver(handle, { sink: 'files' });
  receiver.release(request);
  return { status, redelivered };
}

describe('a delivery that somebody ends by hand leaves its token undelivered: the run goes on, and names the sink', () => {
  it.each(['null', '{}', '"text"', '{"location": "there"}'])('completed with %s', async (result) => {
    const { status, redelivered } = await endDelivery('complete', '--result', result);
    expect(status.description).toBe(
      'SinkUnavailable: the delivery was completed without its receipt, and not by a worker: the token may be in sink slow',
    );
    expect(redelivered.receipt).toMatchObject({ sink: 'files', alsoTried: ['slow'] });
  });

  it.each(['{"retryAfterMs": "x"}', '{"retryAfterMs": 1e300}', '{"retryAfterMs": -1}', '"text"', 'null'])(
    'failed with details %s',
    async (details) => {
      const { status, redelivered } = await endDelivery('fail', '--reason', 'by hand', '--detail', details);
      expect(status.description).toBe('SinkUnavailable: by hand');
      expect(Date.parse(String(status.nextTryAt)) - Date.now()).toBeLessThanOrEqual(24 * 3_600_000);
      expect(redelivered.receipt).toMatchObject({ sink: 'files', alsoTried: ['slow'] });
    },
  );
});
