import { WorkflowNotFoundError } from '@temporalio/client';
import type { PrepareRequest, SealedToken } from '../../src/contract/schemas';
import { eventually } from '../support/eventually';
import {
  awaitDelivery,
  createdToken,
  endingOf,
  eventsBesideTasks,
  operate,
  redeliver,
  startAndAwait,
  startWaiting,
  statusOf,
  untilDeliveryFails,
  untilStep,
} from '../support/runs';
import {
  Gate,
  afterCancel,
  created,
  deliveryAfter,
  hanging,
  lost,
  noSuchSink,
  revoked,
  sinkRejects,
  sinkUnavailable,
  stored,
  withHeartbeats,
  type Delivery,
  type Revocation,
} from './attempts';
import { worker } from './shared-worker';

/** A run whose first attempt to deliver was rejected. */
async function startUndelivered(next: Delivery[] = [], request: Partial<PrepareRequest> = {}) {
  const run = await worker().start({ deliver: [sinkRejects, ...next] }, request);
  await untilStep(run.handle, 'undelivered');
  return run;
}

describe('redeliver', () => {
  it.concurrent('without a sink makes one attempt at the sink of the request', async () => {
    const { handle, calls } = await startUndelivered(Array(4).fill(sinkRejects) as Delivery[]);
    const { nextAttemptAt } = await statusOf(handle);
    for (const args of [[], [null], [{}], [{ sink: null }]]) {
      expect(await redeliver(handle, ...args)).toMatchObject({ type: 'SinkRejected' });
      // A redelivery postpones no round.
      expect(await statusOf(handle)).toMatchObject({ step: 'undelivered', nextAttemptAt });
    }
    expect(calls.sinks).toEqual(Array(5).fill('files'));
  });

  it.concurrent('is refused for malformed input, and leaves the run as it was', async () => {
    const { handle } = await startUndelivered();
    const before = [await eventsBesideTasks(handle), await statusOf(handle)];
    for (const input of [
      'files',
      [],
      { sink: 3 },
      { sink: '**x**\u001b[31m' },
      { snik: 'files' },
    ]) {
      const { type, message } = await redeliver(handle, input);
      expect(type).toBe('InvalidRequest');
      expect(message).toContain('{"sink": "<name of a sink>"}');
    }
    expect([await eventsBesideTasks(handle), await statusOf(handle)]).toEqual(before);
  });

  it.concurrent('fails as its own sink does, and the run goes on with both reasons', async () => {
    const { handle } = await startUndelivered([noSuchSink, stored]);
    const message =
      'redelivery to sink typo: there is no such sink; sink files: the sink rejects it';
    expect(await redeliver(handle, { sink: 'typo' })).toMatchObject({
      type: 'SinkRejected',
      message,
    });
    const { deliveryId } = (await createdToken(handle)) as SealedToken;
    const description = `SinkRejected: ${message}`;
    expect(await statusOf(handle)).toMatchObject({ step: 'undelivered', description, deliveryId });
    const { memo } = await handle.describe();
    expect(memo).toMatchObject({ step: 'undelivered', sink: 'files', deliveryId });
    const { receipt } = await redeliver(handle, { sink: 'other' });
    expect(receipt).toMatchObject({ sink: 'other', alsoTried: ['files', 'typo'] });
    expect(await endingOf(handle)).toMatchObject({ type: 'delivered', receipt });
    const delivered = { deliveryId, publicApiKey: 'abcdefgh', sink: 'other' };
    expect((await handle.describe()).memo).toEqual(delivered);
    await expect(redeliver(handle)).rejects.toThrow(WorkflowNotFoundError);
  });

  it.concurrent.each([
    ["a round in Temporal's back-off", sinkUnavailable(600_000)],
    ['an attempt that hangs', hanging],
  ])('stops %s, and the receipt names its sink', async (_what, attempt) => {
    const retries = { roundMs: 3_600_000 };
    const { handle, calls } = await worker().start({ deliver: [attempt], retries });
    await eventually('an attempt', () => calls.sinks.length === 1);
    const { receipt } = await redeliver(handle, { sink: 'other' });
    expect(receipt).toMatchObject({ sink: 'other', alsoTried: ['files'] });
    expect(calls.sinks).toEqual(['files', 'other']);
  });

  it.concurrent('works while an operator has paused the activity', async () => {
    const retries = { roundMs: 3_600_000 };
    const { handle } = await worker().start({ deliver: [sinkUnavailable(600_000)], retries });
    await untilDeliveryFails(handle);
    await operate(handle, 'pause');
    expect(await redeliver(handle)).toMatchObject({
      type: 'delivered',
      receipt: { sink: 'files' },
    });
  });

  it.concurrent('that fails restarts the round that it interrupted at once', async () => {
    const gate = new Gate();
    const deliver = [hanging, noSuchSink, deliveryAfter(gate.pass, stored)];
    const { handle, calls } = await worker().start({ deliver });
    await eventually('an attempt', () => calls.sinks.length === 1);
    expect(await redeliver(handle, { sink: 'typo' })).toMatchObject({ type: 'SinkRejected' });
    // The round goes on to the sink of the request.
    expect((await handle.describe()).memo).toMatchObject({ sink: 'files' });
    gate.open();
    expect(await endingOf(handle)).toMatchObject({
      receipt: { sink: 'files', alsoTried: ['typo'] },
    });
    expect(calls.sinks).toEqual(['files', 'typo', 'files']);
  });

  it.concurrent('is refused before the token is created, and after a cancel', async () => {
    const gate = new Gate();
    const slow: Revocation = (...args) => withHeartbeats(gate.pass()).then(() => revoked(...args));
    const script = { create: [afterCancel(created)], revoke: [slow] };
    const { handle, calls } = await worker().start(script);
    await eventually('the POST', () => calls.creations === 1);
    const refusal = {
      type: 'NothingToDeliver',
      message: expect.stringContaining('its step is creating'),
    };
    expect(await redeliver(handle, {})).toMatchObject(refusal);
    await handle.cancel();
    await eventually('the deletion', () => calls.revocations === 1);
    refusal.message = expect.stringContaining('its step is revoking');
    expect(await redeliver(handle, { sink: 'other' })).toMatchObject(refusal);
    gate.open();
    expect(await endingOf(handle)).toMatchObject({ type: 'CANCELLED' });
    expect(calls.sinks).toEqual([]);
  });

  it.concurrent('is refused while another redelivery is in progress', async () => {
    const gate = new Gate();
    const { handle, calls } = await startUndelivered([deliveryAfter(gate.pass, stored)]);
    const both = [redeliver(handle, { sink: 'other' }), redeliver(handle, { sink: 'other' })];
    expect(await Promise.race(both)).toMatchObject({ type: 'RedeliveryInProgress' });
    gate.open();
    const types = (await Promise.all(both)).map(({ type }) => type);
    expect(types.sort()).toEqual(['RedeliveryInProgress', 'delivered']);
    expect(calls.sinks).toEqual(['files', 'other']);
  });

  it.concurrent('makes one attempt, and repeats it once if its result is lost', async () => {
    const { handle, calls } = await startUndelivered([lost, lost, lost, stored]);
    expect(await redeliver(handle, { sink: 'other' })).toMatchObject({ type: 'SinkUnavailable' });
    const { receipt } = await redeliver(handle, { sink: 'third' });
    expect(receipt).toMatchObject({ sink: 'third', alsoTried: ['files', 'other'] });
    expect(calls.sinks).toEqual(['files', 'other', 'other', 'third', 'third']);
  });
});

describe('awaitDelivery', () => {
  it.concurrent('starts a run, and returns its receipt', async () => {
    const request = worker().installation.newRequest();
    const { receipt } = await startAndAwait(worker().installation, request);
    const handle = worker().installation.handleOf(request);
    expect(await endingOf(handle)).toMatchObject({ type: 'delivered', receipt });
    await expect(awaitDelivery(handle, request)).rejects.toThrow(WorkflowNotFoundError);
  });

  it.concurrent('is refused with the differing fields, or with what to pass', async () => {
    const { request, handle } = await startUndelivered();
    const other = { ...request, accessListIps: [], sink: null };
    const differing = 'a different request (sink, accessListIps)';
    const instead = 'awaitDelivery takes the request of the run, as plain JSON without a codec';
    for (const [input, type, message] of [
      [other, 'DifferentRequest', differing],
      [null, 'InvalidRequest', instead],
      ['a request', 'InvalidRequest', instead],
    ] as const) {
      const outcome = await awaitDelivery(handle, input);
      expect(outcome).toMatchObject({ type, message: expect.stringContaining(message) });
    }
  });

  it.concurrent('lets callers wait, who all get the receipt of a redelivery', async () => {
    const { request, handle, calls } = await worker().start({ deliver: [hanging] });
    await eventually('an attempt', () => calls.sinks.length === 1);
    const call = (updateId?: string) => startWaiting(handle, request, updateId);
    // A repeated call with one Update id waits with the first.
    const waiting = await Promise.all([call('first'), call('first'), call(), call(), call()]);
    const { receipt } = await redeliver(handle, { sink: 'other' });
    for (const { outcome } of waiting) {
      expect(await outcome()).toMatchObject({ type: 'delivered', receipt });
    }
  });

  it.concurrent(
    "fails at once as an undelivered run's last round did, and adds no event",
    async () => {
      const { request, handle, calls } = await startUndelivered();
      const events = await eventsBesideTasks(handle);
      const equal = { ...request, requestedBy: 'x', changeReference: 'y' };
      for (let call = 0; call < 20; call += 1) {
        expect(await startAndAwait(worker().installation, equal)).toMatchObject({
          type: 'SinkRejected',
        });
      }
      expect(await eventsBesideTasks(handle)).toEqual(events);
      expect(calls).toMatchObject({ creations: 1, sinks: ['files'] });
    },
  );

  it.concurrent('waits for the redelivery in progress, not for the round before it', async () => {
    const gate = new Gate();
    const { request, handle, calls } = await startUndelivered([deliveryAfter(gate.pass, stored)]);
    const redelivery = redeliver(handle, { sink: 'other' });
    await eventually('the redelivery', () => calls.sinks.length === 2);
    const waiting = await startWaiting(handle, request);
    gate.open();
    const { receipt } = await redelivery;
    expect(await waiting.outcome()).toMatchObject({ type: 'delivered', receipt });
  });
});
