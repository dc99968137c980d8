import { randomUUID } from 'node:crypto';
import { temporalUnavailable } from '../../src/activities/failures';
import type { Recovery, SealedToken } from '../../src/contract/schemas';
import { terminalFailure } from '../../src/shared/application-failure';
import { eventually } from '../support/eventually';
import {
  createdToken,
  endingOf,
  redeliver,
  startWaiting,
  statusOf,
  untilBackOff,
  untilStep,
  type Ending,
} from '../support/runs';
import {
  Gate,
  HUGE,
  cancelledBeforeSending,
  created,
  createdByOtherClient,
  deliveryAt,
  failedByOtherClient,
  foundAgain,
  invalidResponse,
  lost,
  notCreated,
  rejected,
  responseAt,
  sinkRejects,
  sinkUnavailable,
  stored,
  storedByOtherClient,
  tooLate,
  unconfirmed,
  unreadable,
  type Creation,
  type Delivery,
} from './attempts';
import { startScriptedWorker, type ScriptedRun, type ScriptedWorker } from './scripted-worker';

const TWO_HOURS_MS = 2 * 3_600_000;
/** Temporal takes an attempt for lost after ten times what the others of a script need on a busy machine. */
const LOST_SOON = { create: { heartbeatTimeoutMs: 3000 } };

let worker: ScriptedWorker;
beforeAll(async () => void (worker = await startScriptedWorker()));

/** The ending of a run, what it says of itself, and what it called. */
async function end({ handle, calls }: ScriptedRun) {
  const ending = await endingOf(handle);
  const { step, description } = await statusOf(handle);
  return { ...ending, step, description, ...calls };
}

async function cancel(run: ScriptedRun) {
  await run.handle.cancel();
  return end(run);
}

type Row = [type: Ending['type'], unconfirmedTokens: number, creations: number];

describe('attempts to create lead to an ending, a count and a number of attempts:', () => {
  it.concurrent.each<[what: string, create: Creation[], Row]>([
    ['429 twice, then a token', [notCreated(), notCreated()], ['delivered', 0, 3]],
    ['503 twice, then a token', [unconfirmed(), unconfirmed()], ['delivered', 2, 3]],
    ['a lost attempt, then a token', [lost], ['delivered', 1, 2]],
    ['503, a lost attempt, then its token', [unconfirmed(), lost, foundAgain], ['delivered', 1, 3]],
    ['503, then 403', [unconfirmed(), rejected], ['AtlasRequestRejected', 1, 2]],
    ['429, lost, 201 without a token', [notCreated(), lost, invalidResponse], ['AtlasResponseInvalid', 2, 3]],
    ['503, then 2 MB by another client', [unconfirmed(), createdByOtherClient], ['TokenLost', 2, 2]],
    ['429 until after the deadline', [notCreated(TWO_HOURS_MS)], ['AtlasUnavailable', 0, 1]],
    ['503 until after the deadline', [unconfirmed(TWO_HOURS_MS)], ['AtlasUnavailable', 1, 1]],
  ])('%s', async (_what, create, [type, unconfirmedTokens, creations]) => {
    const plans = create.includes(lost) ? LOST_SOON : {};
    const run = await worker.start({ create, plans });
    expect(await end(run)).toMatchObject({ type, unconfirmedTokens, creations });
    const { memo } = await run.handle.describe();
    expect(memo?.['unconfirmedTokens'] ?? 0).toBe(unconfirmedTokens);
  });

  it.concurrent('a lost attempt that passes the deadline: one more attempt looks for its token', async () => {
    const plans = { create: { ...LOST_SOON.create, giveUpAfterMs: 1 } };
    const finds = await worker.start({ create: [lost, foundAgain], plans });
    const findsNone = await worker.start({ create: [lost, tooLate], plans });
    expect(await end(finds)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0, creations: 2 });
    const ended = await end(findsNone);
    expect(ended).toMatchObject({ type: 'AtlasUnavailable', unconfirmedTokens: 1, creations: 2 });
    expect(ended.message).toContain('passed; last error: an attempt ended without a result');
  });

  it.concurrent('a token whose POST was under way at the deadline: delivered', async () => {
    const gate = new Gate();
    const plans = { create: { giveUpAfterMs: 1 } };
    const run = await worker.start({ create: [responseAt(gate, created)], plans });
    await gate.reached;
    gate.open();
    expect(await end(run)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0, creations: 1 });
  });

  it.concurrent('503 whose wait passes the deadline: no further attempt, and the reason', async () => {
    const run = await worker.start({ create: [unconfirmed()], plans: { create: { giveUpAfterMs: 1 } } });
    expect(await end(run)).toMatchObject({
      type: 'AtlasUnavailable',
      unconfirmedTokens: 1,
      creations: 1,
      message:
        'gave up: the retry deadline passed; last error: Atlas returned 503; start again once that is resolved',
      details: { status: 503 },
    });
  });
});

describe('a run that may not begin calls nothing:', () => {
  const TOKEN_EXISTS = { state: 'delivered', runId: 'earlier', unconfirmedTokens: 0 };
  const tokenExists = () => {
    throw terminalFailure('TokenExists', 'it has a token', TOKEN_EXISTS);
  };
  const notListed = () => {
    throw temporalUnavailable(new Error('away'), 'id', true);
  };
  const invalid = { sink: 'nowhere', accessListIps: ['0.0.0.0/0'] };
  const fields = [{ field: 'accessListIps[0]' }, { field: 'sink' }];

  it.concurrent.each<[what: string, find: () => never, change: object, type: Ending['type'], object]>([
    ['an invalid request, also with an earlier token', tokenExists, invalid, 'InvalidRequest', { fields }],
    ['an earlier token, with its run', tokenExists, {}, 'TokenExists', TOKEN_EXISTS],
    ['a list that Temporal does not give', notListed, {}, 'TemporalUnavailable', { unconfirmedTokens: 0 }],
  ])('%s', async (_what, find, change, type, details) => {
    const ended = await end(await worker.start({ find }, change));
    expect(ended).toMatchObject({ type, details, step: 'failed', creations: 0 });
  });
});

describe('attempts to deliver lead to a receipt:', () => {
  it.concurrent.each<[what: string, deliver: Delivery[], deliverPlan: object]>([
    ['the sink rejects it twice', [sinkRejects, sinkRejects], {}],
    ['Temporal retries in a round', [sinkUnavailable(), sinkUnavailable()], { roundMs: 60_000 }],
    ['another client: a receipt of 2 MB', [storedByOtherClient({ location: HUGE })], {}],
    ['another client: the receipt of another token', [storedByOtherClient({ deliveryId: randomUUID() })], {}],
  ])('%s', async (_what, deliver, plan) => {
    const plans = { deliver: { firstPauseMs: 1, maximumPauseMs: 1, ...plan } };
    expect(await end(await worker.start({ deliver, plans }))).toMatchObject({
      type: 'delivered',
      receipt: { sink: 'files', alsoTried: [] },
      sinks: Array(deliver.length + 1).fill('files'),
    });
  });

  it.concurrent('a failure by another client is bounded, its wait too, and its sink is named', async () => {
    const deliver = [
      failedByOtherClient('by another client', { retryAfterMs: 1e300, detail: HUGE }),
      failedByOtherClient(HUGE, {}),
    ];
    const run = await worker.start({ deliver });
    const { description, nextTryAt } = await untilStep(run.handle, 'undelivered');
    expect(description).toBe('SinkUnavailable: by another client');
    expect(Date.parse(String(nextTryAt)) - Date.now()).toBeLessThanOrEqual(24 * 3_600_000);
    expect((await redeliver(run.handle)).message.length).toBeLessThan(5000);
    expect(await cancel(run)).toMatchObject({ type: 'Cancelled', details: { sinksTried: ['files'] } });
  });
});

describe('a cancel during a POST, with a caller waiting: no further POST, and both get', () => {
  it.concurrent.each<[what: string, before: Creation[], during: Creation, Delivery[], Row]>([
    ['429', [], notCreated(600_000), [], ['CANCELLED', 0, 1]],
    ['403', [], rejected, [], ['AtlasRequestRejected', 0, 1]],
    ['503, three times', [unconfirmed(), unconfirmed()], unconfirmed(), [], ['Cancelled', 3, 3]],
    ['a token', [], created, [], ['delivered', 0, 1]],
    ['503, then a token that is rejected', [unconfirmed()], created, [sinkRejects], ['Cancelled', 1, 2]],
  ])('%s', async (_what, before, during, deliver, [type, unconfirmedTokens, creations]) => {
    const gate = new Gate();
    const run = await worker.start({ create: [...before, responseAt(gate, during)], deliver });
    await gate.reached;
    const waiting = await startWaiting(run.handle, run.request);
    await run.handle.cancel();
    gate.open();
    const ended = await end(run);
    expect(ended).toMatchObject({ type, unconfirmedTokens, creations });
    expect((await waiting.outcome()).type).toBe(type === 'CANCELLED' ? 'Cancelled' : type);
    expect(ended.sinks.length).toBeLessThanOrEqual(1);
    if (type !== 'Cancelled') return;
    const { deliveryId } = await statusOf(run.handle);
    expect(ended).toMatchObject({ step: 'cancelled', details: { deliveryId, sinksTried: ended.sinks } });
    expect(ended.message).toContain('unconfirmed tokens');
    expect(ended.message.includes('not confirmed as delivered')).toBe(deliveryId !== null);
  });

  it.concurrent.each<[before: string, Creation[], Row]>([
    ['nothing was sent: CANCELLED', [], ['CANCELLED', 0, 1]],
    ['nothing was sent after a 503: Cancelled with 1', [unconfirmed()], ['Cancelled', 1, 2]],
  ])('%s', async (_before, create, [type, unconfirmedTokens, creations]) => {
    const run = await worker.start({ create: [...create, cancelledBeforeSending] });
    await eventually('the attempt', () => run.calls.creations === creations);
    expect(await cancel(run)).toMatchObject({ type, unconfirmedTokens, creations });
  });
});

/** Cancels a run before its first workflow task. */
async function cancelAtOnce(request = worker.deployment.newRequest(), recovery?: Recovery) {
  const calls = worker.setScript(request, {});
  const handle = await worker.deployment.start(request, recovery, { startDelay: '1h' });
  const ended = await cancel({ request, handle, calls });
  expect(ended).toMatchObject({ type: 'CANCELLED', creations: 0, sinks: [] });
  expect((await handle.describe()).memo).toEqual({});
  return ended;
}

describe('a cancel while a run waits to create ends it:', () => {
  it.concurrent('CANCELLED before its first task', async () => {
    expect((await cancelAtOnce()).description).toBe('cancelled; no token was created');
  });

  it.concurrent("CANCELLED in Temporal's back-off", async () => {
    const run = await worker.start({ create: [notCreated(600_000)] });
    await untilBackOff(run.handle);
    const waiting = await startWaiting(run.handle, run.request);
    expect(await cancel(run)).toMatchObject({ type: 'CANCELLED', step: 'cancelled', creations: 1 });
    expect(await waiting.outcome()).toMatchObject({ type: 'Cancelled' });
  });

  it.concurrent('Cancelled in the back-off of the workflow, with the count in message and memo', async () => {
    const run = await worker.start({ create: [unconfirmed(), unconfirmed(), unconfirmed(600_000)] });
    await eventually('back-off', async () => (await statusOf(run.handle)).unconfirmedTokens === 3);
    const ended = await cancel(run);
    expect(ended).toMatchObject({ type: 'Cancelled', unconfirmedTokens: 3, creations: 3 });
    expect(ended.message).toMatch(/up to 3 unconfirmed tokens.*`live-migration-prep list --\w+ --org /);
    expect((await run.handle.describe()).memo).toEqual({ unconfirmedTokens: 3 });
  });
});

describe('a cancel while a token waits for its sink ends as Cancelled, with the token and the sinks:', () => {
  async function expectCancelled(run: ScriptedRun, sinksTried: string[]): Promise<void> {
    const { deliveryId, tokenSha256 } = (await createdToken(run.handle)) as SealedToken;
    // A second cancel changes nothing.
    await Promise.all([run.handle.cancel(), run.handle.cancel()]);
    const ended = await end(run);
    expect(ended).toMatchObject({
      type: 'Cancelled',
      unconfirmedTokens: 0,
      details: { deliveryId, tokenSha256, sinksTried },
    });
    expect(ended.message).toContain(`live-migration-prep recover --org ${run.request.orgId}`);
    const { memo } = await run.handle.describe();
    expect(memo).toMatchObject({ deliveryId, tokenSha256 });
    expect(memo).not.toHaveProperty('step');
  }

  it.concurrent('while an attempt hangs, which stops', async () => {
    const gate = new Gate();
    const run = await worker.start({ deliver: [deliveryAt(gate, stored)] });
    await gate.reached;
    await expectCancelled(run, ['files']);
  });

  it.concurrent('while undelivered, and no sink was called', async () => {
    const run = await worker.start({ deliver: [unreadable] });
    await untilStep(run.handle, 'undelivered');
    await expectCancelled(run, []);
  });

  it.concurrent('during a redelivery, whose caller gets the same', async () => {
    const gate = new Gate();
    const run = await worker.start({ deliver: [sinkRejects, deliveryAt(gate, stored)] });
    await untilStep(run.handle, 'undelivered');
    const redelivery = redeliver(run.handle, { sink: 'other' });
    await gate.reached;
    await expectCancelled(run, ['files', 'other']);
    expect(await redelivery).toMatchObject({ type: 'Cancelled' });
  });
});

describe('the recovery of a token', () => {
  /** A cancelled run that has tried sink `files`, and its token. */
  async function leaveToken() {
    const run = await worker.start({ deliver: [sinkRejects] });
    await untilStep(run.handle, 'undelivered');
    await cancel(run);
    const sealedToken = (await createdToken(run.handle)) as SealedToken;
    return { request: { ...run.request, sink: 'other' }, recovery: { sealedToken, sinksTried: ['files'] } };
  }

  it.concurrent('delivers it, creates nothing and names the sinks of both runs', async () => {
    const { request, recovery } = await leaveToken();
    const { deliveryId } = recovery.sealedToken;
    expect(await end(await worker.start({}, request, recovery))).toMatchObject({
      type: 'delivered',
      creations: 0,
      receipt: { sink: 'other', deliveryId, alsoTried: ['files'] },
    });
  });

  it.concurrent('cancelled: Cancelled, which names the token and the sinks of both runs', async () => {
    const { request, recovery } = await leaveToken();
    const { deliveryId } = recovery.sealedToken;
    const run = await worker.start({ deliver: [sinkRejects] }, request, recovery);
    await untilStep(run.handle, 'undelivered');
    const details = { deliveryId, sinksTried: ['files', 'other'] };
    expect(await cancel(run)).toMatchObject({ type: 'Cancelled', creations: 0, details });
  });

  it.concurrent('cancelled before its first task: the closed run still has the token', async () => {
    const { request, recovery } = await leaveToken();
    const { description } = await cancelAtOnce(request, recovery);
    expect(description).toMatch(/still recoverable from the closed run/);
  });

  it.concurrent('of 2 MB that is malformed: InvalidRequest', async () => {
    const recovery = { sealedToken: { deliveryId: HUGE }, sinksTried: [] } as never;
    const ended = await end(await worker.start({}, {}, recovery));
    expect(ended).toMatchObject({ type: 'InvalidRequest', sinks: [] });
  });
});
