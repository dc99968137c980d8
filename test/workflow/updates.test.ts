import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/common';
import type { PrepareRequest } from '../../src/contract/schemas';
import { eventually } from '../support/eventually';
import {
  awaitDelivery,
  endingOf,
  redeliver,
  startAndAwait,
  startWaiting,
  statusOf,
  untilStep,
} from '../support/runs';
import {
  Gate,
  created,
  deliveryAt,
  lost,
  noSuchSink,
  responseAt,
  sinkRejects,
  sinkUnavailable,
  stored,
  type Delivery,
} from './attempts';
import { startScriptedWorker, type ScriptedRun, type ScriptedWorker } from './scripted-worker';

let worker: ScriptedWorker;
beforeAll(async () => {
  worker = await startScriptedWorker();
});

/** A run whose first attempt to deliver was rejected. */
async function startUndelivered(
  next: Delivery[] = [],
  request: Partial<PrepareRequest> = {},
): Promise<ScriptedRun> {
  const run = await worker.start({ deliver: [sinkRejects, ...next] }, { request });
  await untilStep(run.handle, 'undelivered');
  return run;
}

/** A run whose first attempt to deliver hangs at the gate. */
async function startHanging(gate: Gate, next: Delivery[] = []): Promise<ScriptedRun> {
  const run = await worker.start({ deliver: [deliveryAt(gate, stored), ...next] });
  await gate.reached;
  return run;
}

describe('redeliver', () => {
  it.concurrent(
    'takes nothing, null, {} and a null sink: one attempt at the sink of the request',
    async () => {
      const { handle, calls } = await startUndelivered(Array(4).fill(sinkRejects) as Delivery[]);
      const { nextTryAt } = await statusOf(handle);
      for (const args of [[], [null], [{}], [{ sink: null }]]) {
        expect(await redeliver(handle, ...args)).toMatchObject({
          type: 'SinkRejected',
          message: 'the sink rejects it',
        });
        // It postpones no round.
        expect(await statusOf(handle)).toMatchObject({ step: 'undelivered', nextTryAt });
      }
      expect(calls.sinks).toEqual(Array(5).fill('files'));
    },
  );

  it.concurrent('is refused with other input, which leaves no event and the run as it was', async () => {
    const { handle } = await startUndelivered();
    const before = [(await handle.describe()).historyLength, await statusOf(handle)];
    const inputs = [
      'files',
      7,
      true,
      [],
      [{}],
      { sink: 3 },
      { sink: '' },
      { sink: 'x'.repeat(201) },
      { sink: '**x**\u001b[31m' },
      { snik: 'files' },
    ];
    for (const input of inputs) {
      expect(await redeliver(handle, input)).toMatchObject({
        type: 'InvalidRequest',
        message: expect.stringContaining('{"sink": "<name of a sink>"}'),
      });
    }
    expect([(await handle.describe()).historyLength, await statusOf(handle)]).toEqual(before);
  });

  it.concurrent(
    'fails with the outcome at another sink, and the run goes on with the reasons of both',
    async () => {
      const { handle } = await startUndelivered([noSuchSink, stored]);
      expect(await redeliver(handle, { sink: 'typo' })).toMatchObject({
        type: 'SinkRejected',
        message: 'redelivery to sink typo: there is no such sink; sink files: the sink rejects it',
      });
      expect(await statusOf(handle)).toMatchObject({
        step: 'undelivered',
        description:
          'SinkRejected: redelivery to sink typo: there is no such sink; sink files: the sink rejects it',
      });
      // The sink that was not called is not named.
      const { receipt } = await redeliver(handle, { sink: 'other' });
      expect(receipt).toMatchObject({ sink: 'other', alsoTried: ['files'] });
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', receipt });
    },
  );

  it.concurrent("stops a round in Temporal's back-off", async () => {
    const plans = { deliver: { roundMs: 3_600_000 } };
    const { handle, calls } = await worker.start({ deliver: [sinkUnavailable(600_000)], plans });
    await eventually('an attempt', () => calls.sinks.length === 1);
    expect((await redeliver(handle, { sink: 'other' })).receipt).toMatchObject({ alsoTried: ['files'] });
  });

  it.concurrent('stops an attempt that hangs, and the receipt names its sink', async () => {
    const { handle, calls } = await startHanging(new Gate());
    expect((await redeliver(handle, { sink: 'other' })).receipt).toMatchObject({
      sink: 'other',
      alsoTried: ['files'],
    });
    expect(calls.sinks).toEqual(['files', 'other']);
  });

  it.concurrent('that fails during a round begins the round again at once', async () => {
    const { handle, calls } = await worker.start({
      deliver: [deliveryAt(new Gate(), stored), noSuchSink, stored],
    });
    await eventually('an attempt', () => calls.sinks.length === 1);
    expect(await redeliver(handle, { sink: 'typo' })).toMatchObject({ type: 'SinkRejected' });
    expect(await endingOf(handle)).toMatchObject({ receipt: { sink: 'files', alsoTried: [] } });
    expect(calls.sinks).toEqual(['files', 'typo', 'files']);
  });

  it.concurrent('is refused while the token is created, and the run goes on', async () => {
    const gate = new Gate();
    const { handle } = await worker.start({ create: [responseAt(gate, created)] });
    await gate.reached;
    expect(await redeliver(handle, {})).toMatchObject({ type: 'NothingToDeliver' });
    gate.open();
    expect(await endingOf(handle)).toMatchObject({ type: 'delivered' });
  });

  it.concurrent('is refused while a cancelled run makes its only attempt, which goes on', async () => {
    const creation = new Gate();
    const delivery = new Gate();
    const { handle, calls } = await worker.start({
      create: [responseAt(creation, created)],
      deliver: [deliveryAt(delivery, stored)],
    });
    await creation.reached;
    await handle.cancel();
    creation.open();
    await delivery.reached;
    expect(await redeliver(handle, { sink: 'other' })).toMatchObject({
      type: 'NothingToDeliver',
      message: expect.stringContaining('the run is cancelled'),
    });
    delivery.open();
    expect(await endingOf(handle)).toMatchObject({ type: 'delivered', receipt: { sink: 'files' } });
    expect(calls.sinks).toEqual(['files']);
  });

  it.concurrent('finds no run after the delivery, and nothing is delivered twice', async () => {
    const { handle, calls } = await worker.start();
    await endingOf(handle);
    await expect(redeliver(handle, { sink: 'other' })).rejects.toThrow(WorkflowNotFoundError);
    expect(calls.sinks).toEqual(['files']);
  });

  it.concurrent('is refused while another is in progress', async () => {
    const gate = new Gate();
    const { handle, calls } = await startUndelivered([deliveryAt(gate, stored)]);
    const both = [redeliver(handle, { sink: 'other' }), redeliver(handle, { sink: 'other' })];
    expect(await Promise.race(both)).toMatchObject({ type: 'RedeliveryInProgress' });
    await gate.reached;
    expect(await redeliver(handle, {})).toMatchObject({ type: 'RedeliveryInProgress' });
    gate.open();
    const types = (await Promise.all(both)).map(({ type }) => type);
    expect(types.sort()).toEqual(['RedeliveryInProgress', 'delivered']);
    expect(await endingOf(handle)).toMatchObject({ receipt: { sink: 'other', alsoTried: ['files'] } });
    expect(calls.sinks).toEqual(['files', 'other']);
  });

  it.concurrent('is one attempt, also when it is lost', async () => {
    const { handle } = await worker.start({
      deliver: [sinkRejects, lost],
      plans: { deliver: { heartbeatTimeoutMs: 3000 } },
    });
    await untilStep(handle, 'undelivered');
    expect(await redeliver(handle, { sink: 'other' })).toMatchObject({ type: 'SinkUnavailable' });
    expect((await redeliver(handle, { sink: 'third' })).receipt).toMatchObject({
      alsoTried: ['files', 'other'],
    });
  });

  it.concurrent('the memo lists a run while it is undelivered, and no longer afterwards', async () => {
    const { handle } = await startUndelivered();
    const { deliveryId } = await statusOf(handle);
    expect((await handle.describe()).memo).toMatchObject({ step: 'undelivered', sink: 'files', deliveryId });
    await redeliver(handle, { sink: 'other' });
    await endingOf(handle);
    expect((await handle.describe()).memo).toEqual({});
  });
});

describe('awaitDelivery', () => {
  it.concurrent('starts a run, and has its receipt', async () => {
    const request = worker.deployment.newRequest();
    worker.setScript(request, {});
    const { receipt } = await startAndAwait(worker.deployment, request);
    const handle = worker.deployment.handleOf(request);
    expect(await endingOf(handle)).toMatchObject({ type: 'delivered', receipt });
    await expect(startAndAwait(worker.deployment, request)).rejects.toThrow(
      WorkflowExecutionAlreadyStartedError,
    );
  });

  it.concurrent('starts a run of an invalid request, and fails as the run does', async () => {
    const request = worker.deployment.newRequest({ sink: 'nowhere' });
    worker.setScript(request, {});
    const { type, message } = await startAndAwait(worker.deployment, request);
    expect(type).toBe('InvalidRequest');
    expect(await endingOf(worker.deployment.handleOf(request))).toMatchObject({ type, message });
  });

  it.concurrent('is refused with another request than that of the start, and the run goes on', async () => {
    const request = worker.deployment.newRequest();
    worker.setScript(request, {});
    const other = { ...request, sink: 'other' };
    expect(await startAndAwait(worker.deployment, request, other)).toMatchObject({
      type: 'DifferentRequest',
    });
    expect(await endingOf(worker.deployment.handleOf(request))).toMatchObject({ type: 'delivered' });
  });

  it.concurrent(
    'is refused with the fields that differ, or what to pass, and the run is as it was',
    async () => {
      const { request, handle } = await startUndelivered([], {
        accessListIps: ['192.31.196.1', '192.31.196.2'],
      });
      const status = await statusOf(handle);
      const others: [string, unknown][] = [
        ['(sink)', { ...request, sink: 'other' }],
        ['(accessListIps)', { ...request, accessListIps: ['192.31.196.1'] }],
        ['(sourceOrgId)', { ...request, sourceOrgId: undefined }],
        ['(orgId, sink)', { ...request, orgId: 7, sink: null }],
        ['(orgId, sourceOrgId, sink, accessListIps)', []],
      ];
      for (const [fields, other] of others) {
        expect(await awaitDelivery(handle, other)).toMatchObject({
          type: 'DifferentRequest',
          message: expect.stringContaining(fields),
        });
      }
      for (const other of [null, undefined, 'a request']) {
        expect(await awaitDelivery(handle, other)).toMatchObject({
          type: 'InvalidRequest',
          message: 'awaitDelivery takes the request that the run was started with',
        });
      }
      expect(await statusOf(handle)).toEqual(status);
    },
  );

  it.concurrent('joins a run of an equal request with another requester and order of addresses', async () => {
    const { request, calls } = await startUndelivered([], {
      accessListIps: ['192.31.196.1', '192.31.196.2'],
    });
    const equal = {
      ...request,
      accessListIps: ['192.31.196.2', '192.31.196.1', '192.31.196.2'],
      requestedBy: 'x',
      changeReference: 'y',
    };
    expect(await startAndAwait(worker.deployment, equal)).toMatchObject({ type: 'SinkRejected' });
    expect(calls).toEqual({ creations: 1, sinks: ['files'] });
  });

  it.concurrent(
    'waits for five callers and refuses more; a redelivery passes, and the five get its receipt',
    async () => {
      const { request, handle } = await startHanging(new Gate());
      const outcomes = Array.from({ length: 10 }, () => awaitDelivery(handle, request));
      let refused = 0;
      for (const outcome of outcomes)
        void outcome.then(({ type }) => (refused += type === 'TooManyWaiting' ? 1 : 0));
      await eventually('five refusals', () => refused === 5);
      const { receipt } = await redeliver(handle, { sink: 'other' });
      const delivered = (await Promise.all(outcomes)).filter(({ type }) => type === 'delivered');
      expect(delivered.map((outcome) => outcome.receipt)).toEqual(Array.from({ length: 5 }, () => receipt));
    },
  );

  it.concurrent(
    'gives a thousand callers the last failure of an undelivered run at once, and history does not grow',
    async () => {
      const { request, handle } = await startUndelivered();
      const { historyLength } = await handle.describe();
      const types = new Set<string>();
      // A run takes ten Updates at once.
      for (let round = 0; round < 100; round += 1) {
        const outcomes = await Promise.all(Array.from({ length: 10 }, () => awaitDelivery(handle, request)));
        for (const { type } of outcomes) types.add(type);
      }
      expect([...types]).toEqual(['SinkRejected']);
      expect((await handle.describe()).historyLength).toBe(historyLength);
    },
  );

  it.concurrent('waits for the redelivery in progress, not for the round before it', async () => {
    const gate = new Gate();
    const { request, handle } = await startUndelivered([deliveryAt(gate, stored)]);
    const redelivery = redeliver(handle, { sink: 'other' });
    await gate.reached;
    const waiting = await startWaiting(handle, request);
    gate.open();
    const { receipt } = await redelivery;
    expect(await waiting.outcome()).toMatchObject({ type: 'delivered', receipt });
  });
});
