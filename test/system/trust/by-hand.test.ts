import { ApplicationFailure } from '@temporalio/common';
import { MAX_JWE_LENGTH } from '../../../src/contract/limits';
import { WORKFLOW_TYPES, workflowIdFor } from '../../../src/contract/names';
import type { PrepareRequest, SealedToken } from '../../../src/contract/schemas';
import type { Handle } from '../../support/deployment';
import { endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { startForeignRun } from '../../support/foreign-run';
import { startHangingInstallation, type HangingInstallation } from '../../support/hanging-delivery';
import { createdToken } from '../../support/history';
import { sharedTemporal, untilListed } from '../../support/installation';
import { redeliver, untilStep } from '../../support/updates';

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
  const [pending] = (await handle.describe()).raw.pendingActivities ?? [];
  return { workflowId: handle.workflowId, activityId: String(pending?.activityId) };
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

describe('a delivery that somebody ends by hand leaves its token undelivered: the run goes on, and names the sink', () => {
  /** A receipt as a worker returns it, of this run except for what is changed. */
  async function receiptFor(handle: Handle, change: object) {
    const { jwe: _, ...facts } = (await createdToken(handle)) as SealedToken;
    return { ...facts, sink: 'slow', location: 'there', deliveredAt: new Date().toISOString(), ...change };
  }

  it.each<[what: string, result: object | string | null]>([
    ['nothing', null],
    ['an empty object', {}],
    ['a text', 'text'],
    ['the receipt of another sink', { sink: 'files' }],
    ['the receipt of another organization', { orgId: '0'.repeat(24) }],
    ['no delivery id', { deliveryId: 'any' }],
    ['a huge location', { location: HUGE }],
    ['a huge field that is unknown', { unknown: HUGE }],
  ])('completed with %s', async (_what, change) => {
    const { handle, release } = await installation.startHanging();
    const isChange = typeof change === 'object' && change !== null && Object.keys(change).length > 0;
    await complete(handle, isChange ? await receiptFor(handle, change) : change);
    const { description } = await untilStep(handle, 'undelivered');
    expect(description).toBe(
      'SinkUnavailable: the delivery was completed without a receipt of this request, by somebody other than a worker: the token may be in sink slow',
    );
    expect((await redeliver(handle, { sink: 'files' })).receipt).toMatchObject({ alsoTried: ['slow'] });
    release();
  });

  it.each<[what: string, details: unknown]>([
    ['a text for a wait', { retryAfterMs: 'x' }],
    ['a wait for ever', { retryAfterMs: 1e300 }],
    ['a negative wait', { retryAfterMs: -1 }],
    ['a text', 'text'],
    ['nothing', null],
    ['huge texts', { detail: HUGE }],
  ])('failed with %s in its details', async (_what, details) => {
    const { handle, release } = await installation.startHanging();
    await fail(handle, 'by hand', details);
    const { description, nextTryAt } = await untilStep(handle, 'undelivered');
    expect(description).toBe('SinkUnavailable: by hand');
    expect(Date.parse(String(nextTryAt)) - Date.now()).toBeLessThanOrEqual(24 * 3_600_000);
    expect((await redeliver(handle, { sink: 'files' })).receipt).toMatchObject({ alsoTried: ['slow'] });
    release();
  });

  it('failed with a huge message, at its own sink and in a redelivery', async () => {
    const { handle, release } = await installation.startHanging();
    await fail(handle, HUGE);
    await untilStep(handle, 'undelivered');
    const redelivery = redeliver(handle, { sink: 'slow' });
    await eventually('the redelivery', async () => (await activityOf(handle)).activityId !== 'undefined');
    await fail(handle, HUGE);
    expect((await redelivery).message.length).toBeLessThan(5000);
    await handle.cancel();
    expect((await endingOf(handle)).type).toBe('Cancelled');
    release();
  });
});

describe('a creation that somebody completes by hand ends the run as TokenLost, which counts its token', () => {
  const WHOLE = {
    jwe: 'x.y.z',
    deliveryId: '8ffaa967-f367-493b-bb86-d0e9668a748f',
    tokenSha256: 'a'.repeat(64),
    createdAt: '2026-11-25T01:19:24.628Z',
    unconfirmedTokens: 1,
  };

  it.each<[what: string, result: object | string | null]>([
    ['nothing', null],
    ['a text', 'text'],
    ['half a token', { jwe: 'x' }],
    ['a count below 0', { ...WHOLE, unconfirmedTokens: -1 }],
    ['a count that is too low', { ...WHOLE, unconfirmedTokens: -5 }],
    ['a time that is none', { ...WHOLE, createdAt: 'not a date' }],
    ['an organization of 300 characters', { ...WHOLE, orgId: 'a'.repeat(300) }],
    ['a huge delivery id', { ...WHOLE, deliveryId: HUGE }],
    ['a sealed token that is too large', { ...WHOLE, jwe: 'x'.repeat(MAX_JWE_LENGTH + 1) }],
  ])('with %s', async (_what, result) => {
    const { atlas, deployment } = installation;
    atlas.faults([
      { on: 'linkTokens', status: 500 },
      { on: 'linkTokens', delayMs: 3000 },
    ]);
    const posts = atlas.posts().length;
    const request = deployment.newRequest();
    const handle = await deployment.start(request);
    await eventually('the second POST', () => atlas.posts().length === posts + 2);
    const { orgId, sourceOrgId } = request;
    await complete(handle, typeof result === 'object' ? { orgId, sourceOrgId, ...result } : result);
    expect(await endingOf(handle)).toMatchObject({ type: 'TokenLost', unconfirmedTokens: 2 });
  });
});

describe('a start that would fill the log or the memory of a worker ends as InvalidRequest or CANCELLED:', () => {
  const huge = { deliveryId: HUGE, tokenSha256: 'a'.repeat(64), jwe: 'x.y.z' };

  it.each<[what: string, recovery: object]>([
    ['sinks that were tried', { sealedToken: {}, sinksTried: [HUGE] }],
    ['a delivery id', { sealedToken: huge, sinksTried: [] }],
    ['a sealed token', { sealedToken: { ...huge, deliveryId: 'x', jwe: HUGE }, sinksTried: [] }],
  ])('a recovery with huge %s, cancelled before and after its validation', async (_what, recovery) => {
    const { client } = await sharedTemporal();
    for (const startDelay of [0, 3000]) {
      const request = installation.deployment.newRequest();
      const handle = (await client.workflow.start(WORKFLOW_TYPES.prepare, {
        workflowId: workflowIdFor(request.orgId, request.sourceOrgId),
        taskQueue: installation.deployment.taskQueue,
        args: [request, recovery],
        ...(startDelay > 0 && { startDelay }),
      })) as unknown as Handle;
      await handle.cancel();
      expect((await endingOf(handle)).type).toMatch(/^(InvalidRequest|CANCELLED)$/);
    }
  });

  it.each<[what: string, memo: Record<string, unknown>]>([
    ['of 17 KB', { note: 'x'.repeat(17 * 1024) }],
    ['of almost 2 MB', { note: HUGE }],
  ])('a memo %s', async (_what, memo) => {
    const { client } = await sharedTemporal();
    const request: PrepareRequest = installation.deployment.newRequest();
    const handle = (await client.workflow.start(WORKFLOW_TYPES.prepare, {
      workflowId: workflowIdFor(request.orgId, request.sourceOrgId),
      taskQueue: installation.deployment.taskQueue,
      args: [request],
      memo,
    })) as unknown as Handle;
    const { type, details } = await endingOf(handle);
    expect({ type, fields: details?.fields?.map(({ field }) => field) }).toEqual({
      type: 'InvalidRequest',
      fields: ['memo'],
    });
  });
});

it('an earlier run that somebody completed by hand with a huge receipt ends the next as TokenExists, without it', async () => {
  const { client } = await sharedTemporal();
  const request = installation.deployment.newRequest();
  const { receipt } = await endingOf(
    await installation.deployment.start(installation.deployment.newRequest()),
  );
  const { workflowId } = installation.deployment.handleOf(request);
  const foreign = await startForeignRun(client, workflowId, WORKFLOW_TYPES.prepare);
  await foreign.complete({ ...receipt, location: HUGE });
  await untilListed(`WorkflowId = '${workflowId}' AND CloseTime IS NOT NULL`, 1);
  expect(await endingOf(await installation.deployment.start(request))).toMatchObject({
    type: 'TokenExists',
    details: { state: 'delivered', runId: foreign.runId, receipt: null },
  });
});

it('a run of a workflow type that no worker has ends at once, and names those that exist', async () => {
  const { client } = await sharedTemporal();
  const { taskQueue } = installation.deployment;
  const options = { workflowId: `unknown-${Date.now()}`, taskQueue };
  const handle = await client.workflow.start('prepareLiveMigrations', options);
  await expect(handle.result()).rejects.toMatchObject({
    cause: {
      type: 'UnknownWorkflowType',
      message: expect.stringContaining('prepareLiveMigration,'),
    },
  });
});
