import { ApplicationFailure } from '@temporalio/common';
import { WORKFLOW_TYPES } from '../../../src/contract/names';
import type { SealedToken } from '../../../src/contract/schemas';
import { eventually } from '../../support/eventually';
import { startForeignRun } from '../../support/foreign-run';
import { startHangingInstallation, type HangingInstallation } from '../../support/hanging-delivery';
import type { Handle } from '../../support/installation';
import { createdToken, endingOf, redeliver, untilStep } from '../../support/runs';
import { sharedTemporal, untilListed } from '../../support/temporal';

/** Just below the 2 MiB that Temporal takes in one payload. */
const HUGE = 'x'.repeat(1_900_000);
const MAX_LOG_LENGTH = 1_000_000;

let installation: HangingInstallation;
beforeAll(async () => void (installation = await startHangingInstallation()));

/** A failed workflow task is retried for ever, and each try logs what failed it. */
afterEach(() => {
  const log = installation.worker.output();
  expect(log).not.toMatch(/Failed to activate workflow|workflow task failed|TMPRL1103/i);
  expect(log.length).toBeLessThan(MAX_LOG_LENGTH);
});

/** Names the activity of a run that is under way. */
async function activityOf(handle: Handle) {
  const activityId = await eventually('an activity', async () => {
    return (await handle.describe()).raw.pendingActivities?.[0]?.activityId;
  });
  return { workflowId: handle.workflowId, activityId };
}

async function complete(handle: Handle, result: unknown): Promise<void> {
  const { client } = await sharedTemporal();
  await client.activity.complete(await activityOf(handle), result);
}

async function fail(handle: Handle, message: string, ...details: unknown[]): Promise<void> {
  const { client } = await sharedTemporal();
  const failure = ApplicationFailure.create({ message, details, nonRetryable: true });
  await client.activity.fail(await activityOf(handle), failure);
}

/** One result of each kind, of 2 MB. `test/unit/workflows/activity-results.test.ts` decides what passes. */
describe('an activity that somebody ends by hand', () => {
  it('a delivery, completed: the token is undelivered, and the sink is named', async () => {
    const { handle, release } = await installation.startHanging();
    const { jwe: _, ...facts } = (await createdToken(handle)) as SealedToken;
    const receipt = { ...facts, sink: 'slow', location: HUGE, deliveredAt: new Date().toISOString() };
    await complete(handle, receipt);
    const { description } = await untilStep(handle, 'undelivered');
    expect(description).toBe(
      'SinkUnavailable: the delivery was completed without a receipt of this request, by somebody other than a worker: the token may be in sink slow',
    );
    expect((await redeliver(handle, { sink: 'files' })).receipt).toMatchObject({ alsoTried: ['slow'] });
    release();
  });

  it('a delivery and a redelivery, failed: both are bounded, and no wait is longer than a day', async () => {
    const { handle, release } = await installation.startHanging();
    await fail(handle, 'by hand', { retryAfterMs: 1e300, detail: HUGE });
    const { description, nextTryAt } = await untilStep(handle, 'undelivered');
    expect(description).toBe('SinkUnavailable: by hand');
    expect(Date.parse(String(nextTryAt)) - Date.now()).toBeLessThanOrEqual(24 * 3_600_000);
    const redelivery = redeliver(handle, { sink: 'slow' });
    await fail(handle, HUGE);
    expect((await redelivery).message.length).toBeLessThan(5000);
    await handle.cancel();
    expect((await endingOf(handle)).type).toBe('Cancelled');
    release();
  });

  it.each<[what: string, result: unknown]>([
    ['null', null],
    ['a huge delivery id', { jwe: 'x.y.z', deliveryId: HUGE, unconfirmedTokens: 1 }],
  ])('a creation, completed with %s: TokenLost, which counts its token', async (_what, result) => {
    const { atlas, deployment } = installation;
    atlas.faults([
      { on: 'linkTokens', status: 500 },
      { on: 'linkTokens', delayMs: 3000 },
    ]);
    const posts = atlas.posts().length;
    const handle = await deployment.start();
    await eventually('the second POST', () => atlas.posts().length === posts + 2);
    await complete(handle, result);
    expect(await endingOf(handle)).toMatchObject({ type: 'TokenLost', unconfirmedTokens: 2 });
  });
});

it('a huge receipt of an earlier run, completed by hand: the next is TokenExists, without it', async () => {
  const { client } = await sharedTemporal();
  const { deployment } = installation;
  const { receipt } = await endingOf(await deployment.start());
  const request = deployment.newRequest();
  const { workflowId } = deployment.handleOf(request);
  const foreign = await startForeignRun(client, workflowId, WORKFLOW_TYPES.prepare);
  await foreign.complete({ ...receipt, location: HUGE });
  await untilListed(`WorkflowId = '${workflowId}' AND CloseTime IS NOT NULL`, 1);
  expect(await endingOf(await deployment.start(request))).toMatchObject({
    type: 'TokenExists',
    details: { state: 'delivered', runId: foreign.runId, receipt: null },
  });
});

it('a recovery of 2 MB that is cancelled before and after its validation ends', async () => {
  const { deployment } = installation;
  const sealedToken = { deliveryId: HUGE, tokenSha256: 'a'.repeat(64), jwe: 'x.y.z' };
  for (const startDelay of [0, 3000]) {
    const recovery = { sealedToken, sinksTried: [] } as never;
    const handle = await deployment.start(deployment.newRequest(), recovery, { startDelay });
    await handle.cancel();
    expect((await endingOf(handle)).type).toMatch(/^(InvalidRequest|CANCELLED)$/);
  }
});
