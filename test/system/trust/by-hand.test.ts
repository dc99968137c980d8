import { startHangingSetting, type HangingSetting } from '../../support/hanging-delivery';
import { endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { sharedTemporal } from '../../support/setting';
import { temporalCli } from '../../support/temporal-cli';
import { redeliver, untilStep } from '../../support/updates';

let setting: HangingSetting;
beforeAll(async () => void (setting = await startHangingSetting()));

/** Starts a run whose delivery hangs, and has Temporal's command line end that activity. */
async function endDelivery(how: 'complete' | 'fail', ...options: string[]) {
  const { handle, target, release } = await setting.startHanging();
  const { address } = await sharedTemporal();
  expect(await temporalCli(address, 'activity', how, ...target, ...options)).toMatchObject({ code: 0 });
  const status = await untilStep(handle, 'undelivered');
  const redelivered = await redeliver(handle, { sink: 'files' });
  release();
  return { status, redelivered };
}

describe('a delivery that somebody ends by hand leaves its token undelivered: the run goes on, and names the sink', () => {
  it.each([
    ...['null', '{}', '"text"', '{"location": "there"}'],
    '{"deliveryId": "any", "location": "there", "sink": "another"}',
  ])('completed with %s', async (result) => {
    const { status, redelivered } = await endDelivery('complete', '--result', result);
    expect(status.description).toBe(
      'SinkUnavailable: somebody other than a worker completed the delivery, without a receipt: the token may be in sink slow',
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

it.each([
  'null',
  '"text"',
  '{"jwe": "x", "createdAt": 5}',
  '{"jwe": "x", "orgId": "x", "deliveryId": "x", "tokenSha256": "x", "createdAt": "x", "unconfirmedTokens": -1}',
])(
  'a creation that somebody completes by hand with %s ends the run, which counts its token',
  async (result) => {
    const { atlas, deployment } = setting;
    atlas.faults([
      { on: 'linkTokens', status: 500 },
      { on: 'linkTokens', delayMs: 3000 },
    ]);
    const posts = atlas.posts().length;
    const handle = await deployment.start();
    await eventually('the second POST', () => atlas.posts().length === posts + 2);
    const { address } = await sharedTemporal();
    const [activity] = (await handle.describe()).raw.pendingActivities ?? [];
    const target = ['--workflow-id', handle.workflowId, '--activity-id', String(activity?.activityId)];
    expect(await temporalCli(address, 'activity', 'complete', ...target, '--result', result)).toMatchObject({
      code: 0,
    });
    expect(await endingOf(handle)).toMatchObject({ type: 'TokenLost', unconfirmedTokens: 2 });
  },
);
