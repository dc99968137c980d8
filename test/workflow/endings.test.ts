import { temporalUnavailable } from '../../src/activities/failures';
import type { SealedToken } from '../../src/contract/schemas';
import { applicationFailure } from '../../src/shared/application-failure';
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
  cancelledBeforeSending,
  completedByHand,
  created,
  deliveryAt,
  foundAgain,
  invalidResponse,
  lost,
  notCreated,
  notSealed,
  rejected,
  responseAt,
  sinkRejects,
  sinkUnavailable,
  stored,
  storedAnother,
  tooLate,
  unconfirmed,
  unreadable,
  type Creation,
  type Delivery,
} from './attempts';
import { startScriptedWorker, type ScriptedRun, type ScriptedWorker } from './scripted-worker';

const TWO_HOURS_MS = 2 * 3_600_000;
/** Temporal takes an attempt for lost after this time without a heartbeat. */
/** Ten times what the other attempts of a script need on a busy machine. */
const LOST_SOON = { create: { heartbeatTimeoutMs: 3000 } };
/** An undelivered run tries again at once. */
const NO_PAUSE = { deliver: { firstPauseMs: 1, maximumPauseMs: 1 } };

let worker: ScriptedWorker;
beforeAll(async () => {
  worker = await startScriptedWorker();
});

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
    ['a token', [created], ['delivered', 0, 1]],
    ['429 twice, then a token', [notCreated(), notCreated()], ['delivered', 0, 3]],
    ['503 twice, then a token', [unconfirmed(), unconfirmed()], ['delivered', 2, 3]],
    ['a lost attempt, then a token', [lost], ['delivered', 1, 2]],
    ['a lost attempt, then its token', [lost, foundAgain], ['delivered', 0, 2]],
    ['503, a lost attempt, then its token', [unconfirmed(), lost, foundAgain], ['delivered', 1, 3]],
    ['403', [rejected], ['AtlasRequestRejected', 0, 1]],
    ['503, then 403', [unconfirmed(), rejected], ['AtlasRequestRejected', 1, 2]],
    ['201 without a token', [invalidResponse], ['AtlasResponseInvalid', 1, 1]],
    [
      '429, 503, a lost attempt, then 201 without a token',
      [notCreated(), unconfirmed(), lost, invalidResponse],
      ['AtlasResponseInvalid', 3, 4],
    ],
    ['a token that cannot be sealed', [notSealed], ['TokenLost', 1, 1]],
    ['503, then a result that is no token', [unconfirmed(), completedByHand], ['TokenLost', 2, 2]],
    ['429 until after the deadline', [notCreated(TWO_HOURS_MS)], ['AtlasUnavailable', 0, 1]],
    ['503 until after the deadline', [unconfirmed(TWO_HOURS_MS)], ['AtlasUnavailable', 1, 1]],
    [
      '503, then 429 until after the deadline',
      [unconfirmed(), notCreated(TWO_HOURS_MS)],
      ['AtlasUnavailable', 1, 2],
    ],
  ])('%s', async (_what, create, [type, unconfirmedTokens, creations]) => {
    const plans = create.includes(lost) ? LOST_SOON : {};
    const ended = await end(await worker.start({ create, plans }));
    expect(ended).toMatchObject({
      type,
      unconfirmedTokens,
      creations,
      step: type === 'delivered' ? 'delivered' : 'failed',
      sinks: type === 'delivered' ? ['files'] : [],
    });
  });

  it.concurrent('a lost attempt that passes the deadline: one more attempt looks for its token', async () => {
    const plans = { create: { ...LOST_SOON.create, giveUpAfterMs: 1 } };
    const finds = await worker.start({ create: [lost, foundAgain], plans });
    const findsNone = await worker.start({ create: [lost, tooLate], plans });
    expect(await end(finds)).toMatchObject({ type: 'delivered', unconfirmedTokens: 0, creations: 2 });
    expect(await end(findsNone)).toMatchObject({
      type: 'AtlasUnavailable',
      unconfirmedTokens: 1,
      creations: 2,
      message: expect.stringMatching(
        /^gave up: the retry deadline passed; last error: an attempt ended without a result/,
      ),
    });
  });

  it.concurrent.each<[response: string, Creation, Ending['type'], number]>([
    ['its token is delivered', created, 'delivered', 0],
    ['its loss is counted', unconfirmed(), 'AtlasUnavailable', 1],
  ])('a POST under way at the deadline is awaited: %s', async (_what, creation, type, unconfirmedTokens) => {
    const gate = new Gate();
    const plans = { create: { giveUpAfterMs: 1 } };
    const run = await worker.start({ create: [responseAt(gate, creation)], plans });
    await gate.reached;
    gate.open();
    expect(await end(run)).toMatchObject({ type, unconfirmedTokens, creations: 1 });
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
  const tokenExists = () => {
    const details = [{ state: 'delivered', runId: 'earlier', unconfirmedTokens: 0 }];
    throw applicationFailure({ type: 'TokenExists', message: 'it has a token', nonRetryable: true, details });
  };
  const notListed = () => {
    throw temporalUnavailable(new Error('away'), 'id', true);
  };

  it.concurrent('an invalid request: InvalidRequest with each field, whatever the search finds', async () => {
    const request = { sink: 'nowhere', accessListIps: ['0.0.0.0/0'] };
    const ended = await end(await worker.start({ find: tokenExists }, { request }));
    expect(ended).toMatchObject({ type: 'InvalidRequest', step: 'failed', creations: 0 });
    expect(ended.details?.fields?.map(({ field }) => field)).toEqual(['accessListIps[0]', 'sink']);
  });

  it.concurrent('an earlier token: TokenExists, which names its run', async () => {
    const ended = await end(await worker.start({ find: tokenExists }));
    expect(ended).toMatchObject({
      type: 'TokenExists',
      message: 'it has a token',
      details: { state: 'delivered', runId: 'earlier', unconfirmedTokens: 0 },
      creations: 0,
    });
  });

  it.concurrent('a list that Temporal does not give: TemporalUnavailable', async () => {
    const ended = await end(await worker.start({ find: notListed }));
    expect(ended).toMatchObject({ type: 'TemporalUnavailable', unconfirmedTokens: 0, creations: 0 });
  });
});

describe('attempts to deliver lead to a receipt:', () => {
  it.concurrent.each<[what: string, deliver: Delivery[], attempts: number]>([
    ['the sink stores the token', [stored], 1],
    ['the sink rejects it twice', [sinkRejects, sinkRejects], 3],
    ['the sink is away', [sinkUnavailable()], 2],
    ['no worker has the key', [unreadable], 2],
    ['somebody completes the delivery without a receipt', [completedByHand], 2],
    ['somebody completes the delivery with the receipt of another token', [storedAnother], 2],
  ])('%s', async (_what, deliver, attempts) => {
    const ended = await end(await worker.start({ deliver, plans: NO_PAUSE }));
    expect(ended).toMatchObject({
      type: 'delivered',
      receipt: { sink: 'files', alsoTried: [] },
      sinks: Array(attempts).fill('files'),
    });
  });

  it.concurrent('within one round, Temporal retries a sink that is away', async () => {
    const plans = { deliver: { roundMs: 60_000 } };
    const ended = await end(await worker.start({ deliver: [sinkUnavailable(), sinkUnavailable()], plans }));
    expect(ended).toMatchObject({ type: 'delivered', sinks: ['files', 'files', 'files'] });
  });
});

describe('a cancel during a POST, with a caller waiting: no further POST, and both get', () => {
  it.concurrent.each<[response: string, create: (gate: Gate) => Creation[], Delivery[], Row]>([
    ['429', (gate) => [responseAt(gate, notCreated(600_000))], [], ['CANCELLED', 0, 1]],
    ['403', (gate) => [responseAt(gate, rejected)], [], ['AtlasRequestRejected', 0, 1]],
    ['503', (gate) => [responseAt(gate, unconfirmed())], [], ['Cancelled', 1, 1]],
    [
      '503 after two 503',
      (gate) => [unconfirmed(), unconfirmed(), responseAt(gate, unconfirmed())],
      [],
      ['Cancelled', 3, 3],
    ],
    [
      '201 without a token',
      (gate) => [responseAt(gate, invalidResponse)],
      [],
      ['AtlasResponseInvalid', 1, 1],
    ],
    ['a token that cannot be sealed', (gate) => [responseAt(gate, notSealed)], [], ['TokenLost', 1, 1]],
    ['a token', (gate) => [responseAt(gate, created)], [], ['delivered', 0, 1]],
    [
      'a token that the sink rejects',
      (gate) => [responseAt(gate, created)],
      [sinkRejects],
      ['Cancelled', 0, 1],
    ],
    [
      '503, and then a token that the sink rejects',
      (gate) => [unconfirmed(), responseAt(gate, created)],
      [sinkRejects],
      ['Cancelled', 1, 2],
    ],
  ])('%s', async (_response, create, deliver, [type, unconfirmedTokens, creations]) => {
    const gate = new Gate();
    const run = await worker.start({ create: create(gate), deliver });
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
    expect(ended.message.includes('unconfirmed tokens')).toBe(unconfirmedTokens > 0);
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

describe('a cancel while a run waits to create ends it:', () => {
  it.concurrent('CANCELLED before its first task', async () => {
    const request = worker.deployment.newRequest();
    const calls = worker.setScript(request, {});
    const handle = await worker.deployment.start(request, undefined, { startDelay: '1h' });
    expect(await cancel({ request, handle, calls })).toMatchObject({ type: 'CANCELLED', creations: 0 });
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
    const { deliveryId } = await statusOf(run.handle);
    // A second cancel changes nothing.
    await Promise.all([run.handle.cancel(), run.handle.cancel()]);
    const ended = await end(run);
    expect(ended).toMatchObject({
      type: 'Cancelled',
      step: 'cancelled',
      unconfirmedTokens: 0,
      details: { deliveryId, sinksTried },
    });
    expect(ended.message).toContain(`live-migration-prep recover --org ${run.request.orgId}`);
    expect((await run.handle.describe()).memo).toMatchObject({ deliveryId });
    expect((await run.handle.describe()).memo).not.toHaveProperty('step');
  }

  it.concurrent('while an attempt hangs, which stops', async () => {
    const gate = new Gate();
    const run = await worker.start({ deliver: [deliveryAt(gate, stored)] });
    await gate.reached;
    await expectCancelled(run, ['files']);
  });

  it.concurrent('while undelivered', async () => {
    const run = await worker.start({ deliver: [sinkRejects] });
    await untilStep(run.handle, 'undelivered');
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
    return { request: run.request, recovery: { sealedToken, sinksTried: ['files'] } };
  }

  it.concurrent('delivers it, creates nothing and names the sinks of both runs', async () => {
    const { request, recovery } = await leaveToken();
    const run = await worker.start({}, { request: { ...request, sink: 'other' }, recovery });
    expect(await end(run)).toMatchObject({
      type: 'delivered',
      creations: 0,
      receipt: { sink: 'other', deliveryId: recovery.sealedToken.deliveryId, alsoTried: ['files'] },
    });
  });

  it.concurrent('cancelled: Cancelled, which names the token and the sinks of both runs', async () => {
    const { request, recovery } = await leaveToken();
    const script = { deliver: [sinkRejects] };
    const run = await worker.start(script, { request: { ...request, sink: 'other' }, recovery });
    await untilStep(run.handle, 'undelivered');
    const { deliveryId } = recovery.sealedToken;
    expect(await cancel(run)).toMatchObject({
      type: 'Cancelled',
      creations: 0,
      details: { deliveryId, sinksTried: ['files', 'other'] },
    });
  });

  it.concurrent(
    'cancelled before its first task: CANCELLED, and the closed run still has the token',
    async () => {
      const { request, recovery } = await leaveToken();
      const calls = worker.setScript(request, {});
      const handle = await worker.deployment.start(request, recovery, { startDelay: '1h' });
      const ended = await cancel({ request, handle, calls });
      expect(ended).toMatchObject({ type: 'CANCELLED', sinks: [] });
      expect(ended.description).toMatch(/still recoverable from the closed run/);
      expect((await handle.describe()).memo).toEqual({});
    },
  );

  it.concurrent('that is malformed: InvalidRequest', async () => {
    const recovery = { sealedToken: {}, sinksTried: [] } as never;
    expect(await end(await worker.start({}, { recovery }))).toMatchObject({
      type: 'InvalidRequest',
      sinks: [],
    });
  });
});
