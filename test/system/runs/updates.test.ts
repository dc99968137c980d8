import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/common';
import { atOnce } from '../../support/at-once';
import type { TestAtlas } from '../../support/atlas';
import { FILE_SINKS, type Deployment, type Handle } from '../../support/deployment';
import { endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { newAddress } from '../../support/ids';
import { replayRun } from '../../support/replay';
import { deploy, sharedTemporal, startAtlas } from '../../support/setting';
import { temporalCli } from '../../support/temporal-cli';
import {
  awaitDelivery,
  redeliver,
  startAndAwait,
  startWaiting,
  statusOf,
  untilStep,
} from '../../support/updates';
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver';

let atlas: TestAtlas;
let receiver: WebhookReceiver;
let deployment: Deployment;
let creating: Handle;

beforeAll(async () => {
  [atlas, receiver] = await Promise.all([startAtlas(), startWebhookReceiver()]);
  const sinks = {
    ...FILE_SINKS,
    forbidden: { type: 'file', directory: 'forbidden' },
    missing: { type: 'file', directory: 'missing' },
    stores: receiver.sink('stores-then-503'),
    hangs: receiver.sink('hangs'),
  };
  const permitted = Object.keys(sinks).filter((name) => name !== 'forbidden');
  deployment = await deploy({
    atlas,
    env: receiver.env,
    config: {
      sinks,
      atlas: { organizations: { [atlas.account.orgId]: { credential: 'default', sinks: permitted } } },
    },
  });
  mkdirSync(path.join(deployment.folder, 'forbidden'));
  await deployment.startWorker();
  atlas.faults({ on: 'linkTokens', delayMs: 1500 });
  creating = await deployment.start();
  await eventually('a POST', () => atlas.posts().length === 1);
});

async function undelivered(request = deployment.newRequest({ sink: 'rejects' })): Promise<Handle> {
  const handle = await deployment.start(request);
  await untilStep(handle, 'undelivered');
  return handle;
}

async function eventsOf(handle: Handle): Promise<number> {
  return (await handle.describe()).historyLength;
}

/** Where copies of the token of a run are. */
async function copiesOf(handle: Handle): Promise<string[]> {
  const { deliveryId } = await statusOf(handle);
  return deployment.tokenFiles().filter((name) => name.includes(String(deliveryId)));
}

describe('redeliver', () => {
  atOnce({
    async 'without input, with null and with {}: one attempt at the sink of the request, which puts off no round'() {
      const handle = await undelivered();
      const { nextTryAt } = await statusOf(handle);
      for (const args of [[], [null], [{}], [{ sink: null }]]) {
        expect(await redeliver(handle, ...args)).toMatchObject({
          type: 'SinkRejected',
          message: expect.stringMatching(/is not a directory: correct its path/) as string,
        });
        expect(await statusOf(handle)).toMatchObject({ step: 'undelivered', nextTryAt });
      }
    },

    async 'with malformed input: refused with what to write, no event, the run as it was'() {
      const handle = await undelivered();
      const [events, status] = [await eventsOf(handle), await statusOf(handle)];
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
          message: expect.stringContaining('{"sink": "<name of a sink>"}') as string,
        });
      }
      expect([await eventsOf(handle), await statusOf(handle)]).toEqual([events, status]);
    },

    async 'to a sink that nobody has: its failure at once; then to another: the receipt names the sink that was called'() {
      const handle = await undelivered();
      const outcome = await redeliver(handle, { sink: 'typo' });
      expect(outcome.type).toBe('SinkUnavailable');
      expect(outcome.message).toContain('no sink "typo": add it to the configuration');
      const { step, description } = await statusOf(handle);
      expect(step).toBe('undelivered');
      expect(description).toMatch(
        /^SinkUnavailable: redelivery to sink typo: this worker has no sink "typo".*; sink rejects: .* is not a directory/,
      );
      const { receipt } = await redeliver(handle, { sink: 'files' });
      expect(receipt).toMatchObject({ sink: 'files', alsoTried: ['rejects'] });
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', receipt });
    },

    async 'during a round, and failed: the round begins again at once'() {
      const request = deployment.newRequest({ sink: 'hangs' });
      const handle = await deployment.start(request);
      await eventually('an attempt', () => receiver.hanging(request) === 1);
      expect(await redeliver(handle, { sink: 'typo' })).toMatchObject({ type: 'SinkUnavailable' });
      await eventually('another attempt', () => receiver.hanging(request) === 1);
      receiver.release(request);
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered', receipt: { sink: 'hangs' } });
    },

    async 'to a sink that the organization may not use: SinkRejected, and the sink gets nothing'() {
      const handle = await undelivered();
      const outcome = await redeliver(handle, { sink: 'forbidden' });
      expect(outcome.type).toBe('SinkRejected');
      expect(outcome.message).toContain('sink forbidden is not permitted');
      expect(readdirSync(path.join(deployment.folder, 'forbidden'))).toEqual([]);
      expect(await statusOf(handle)).toMatchObject({ step: 'undelivered' });
    },

    async 'while the token is being created: NothingToDeliver, and the run goes on'() {
      expect(await redeliver(creating, {})).toMatchObject({ type: 'NothingToDeliver' });
      expect(await endingOf(creating)).toMatchObject({ type: 'delivered' });
    },

    async 'after delivery: Temporal refuses, nothing is delivered twice'() {
      const handle = await deployment.start();
      await endingOf(handle);
      await expect(redeliver(handle, { sink: 'stores' })).rejects.toThrow(WorkflowNotFoundError);
      expect(await copiesOf(handle)).toHaveLength(1);
      expect(await endingOf(handle)).toMatchObject({ receipt: { sink: 'files' } });
    },

    async 'twice at once: one wins, the other is refused; while a redelivery hangs, a further one too'() {
      const request = deployment.newRequest({ sink: 'rejects' });
      const handle = await undelivered(request);
      const to = { sink: 'hangs' };
      const both = [redeliver(handle, to), redeliver(handle, to)];
      expect(await Promise.race(both)).toMatchObject({ type: 'RedeliveryInProgress' });
      await eventually('a redelivery', () => receiver.hanging(request) === 1);
      expect(await redeliver(handle, { sink: 'files' })).toMatchObject({ type: 'RedeliveryInProgress' });
      receiver.release(request);
      const outcomes = await Promise.all(both);
      expect(outcomes.map(({ type }) => type).sort()).toEqual(['RedeliveryInProgress', 'delivered']);
      expect(await endingOf(handle)).toMatchObject({ receipt: { sink: 'hangs', alsoTried: ['rejects'] } });
      expect(await copiesOf(handle)).toEqual([]);
    },

    async 'while the delivery to an unavailable sink is retried: delivered at once'() {
      const handle = await deployment.start(deployment.newRequest({ sink: 'missing' }));
      await untilStep(handle, 'delivering');
      expect(await redeliver(handle, { sink: 'files' })).toMatchObject({ receipt: { sink: 'files' } });
    },

    async 'while an attempt hangs: delivered once the attempt has stopped; the receipt names its sink'() {
      const request = deployment.newRequest({ sink: 'hangs' });
      const handle = await deployment.start(request);
      await eventually('an attempt', () => receiver.hanging(request) === 1);
      const { receipt } = await redeliver(handle, { sink: 'files' });
      expect(receipt).toMatchObject({ sink: 'files', alsoTried: ['hangs'] });
      expect(receiver.hanging(request)).toBe(0);
    },

    async 'stored, then 503, then delivered to another sink: the receipt names the first'() {
      const handle = await undelivered(deployment.newRequest({ sink: 'stores' }));
      const { receipt } = await redeliver(handle, { sink: 'files' });
      expect(receipt).toMatchObject({ sink: 'files', alsoTried: ['stores'] });
      const [file = ''] = await copiesOf(handle);
      expect(receipt?.location).toContain(file);
    },

    async 'by the Temporal command line: an undelivered token is delivered'() {
      const handle = await undelivered();
      const update = async (...input: string[]) => {
        const { address } = await sharedTemporal();
        const target = ['--workflow-id', handle.workflowId, '--name', 'redeliver'];
        return temporalCli(address, 'workflow', 'update', 'execute', ...target, ...input);
      };
      expect((await update()).stderr).toContain('is not a directory: correct its path');
      const { code, stdout } = await update('--input', '{"sink": "files"}');
      expect({ code, stdout }).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('alsoTried') as string,
      });
      expect(await endingOf(handle)).toMatchObject({ receipt: { sink: 'files' } });
      expect(await copiesOf(handle)).toHaveLength(1);
    },

    async 'the memo lists a run while it is undelivered, and no longer afterwards'() {
      const request = deployment.newRequest({ sink: 'rejects' });
      const handle = await undelivered(request);
      const { deliveryId } = await statusOf(handle);
      expect((await handle.describe()).memo).toMatchObject({
        step: 'undelivered',
        sink: 'rejects',
        deliveryId,
      });
      await redeliver(handle, { sink: 'files' });
      await endingOf(handle);
      expect((await handle.describe()).memo).toEqual({});
    },
  });
});

const toRejectingSink = () => deployment.newRequest({ sink: 'rejects', accessListIps: [newAddress()] });

describe('awaitDelivery', () => {
  atOnce({
    async 'with a start of an invalid request: InvalidRequest, for the caller as for the run'() {
      const request = deployment.newRequest({ sink: 'nowhere', accessListIps: [newAddress()] });
      const handle = deployment.handleOf(request);
      const { type, message } = await startAndAwait(deployment, request);
      expect(type).toBe('InvalidRequest');
      expect(await endingOf(handle)).toMatchObject({ type, message });
      expect(atlas.created(request)).toBe(0);
      await replayRun(handle);
    },

    async 'with a start of another request: refused, and the run goes on'() {
      const request = deployment.newRequest({ accessListIps: [newAddress()] });
      const handle = deployment.handleOf(request);
      const other = { ...request, sink: 'rejects' };
      expect(await startAndAwait(deployment, request, other)).toMatchObject({ type: 'DifferentRequest' });
      expect(await endingOf(handle)).toMatchObject({ type: 'delivered' });
      expect(atlas.created(request)).toBe(1);
      await replayRun(handle);
    },

    async 'with a different or an invalid request: refused, with the fields that differ, the run as it was'() {
      const request = deployment.newRequest({
        sink: 'rejects',
        accessListIps: ['192.31.196.1', '192.31.196.2'],
      });
      const handle = await deployment.start(request);
      const status = await untilStep(handle, 'undelivered');
      const others: [string, unknown][] = [
        ['(sink)', { ...request, sink: 'files' }],
        ['(accessListIps)', { ...request, accessListIps: ['192.31.196.1'] }],
        ['(sourceOrgId)', { ...request, sourceOrgId: undefined }],
        ['(orgId, sink)', { ...request, orgId: 7, sink: null }],
        ['(orgId, sourceOrgId, sink, accessListIps)', []],
      ];
      for (const [fields, other] of others) {
        const { type, message } = await awaitDelivery(handle, other);
        expect({ type, message }).toEqual({
          type: 'DifferentRequest',
          message: expect.stringContaining(fields) as string,
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

    async 'with an equal request: joined, whoever asks, why, and in which order the addresses are'() {
      const request = deployment.newRequest({
        sink: 'rejects',
        accessListIps: ['192.31.196.1', '192.31.196.2'],
      });
      expect(await startAndAwait(deployment, request)).toMatchObject({ type: 'SinkRejected' });
      const equal = {
        accessListIps: ['192.31.196.2', '192.31.196.1', '192.31.196.2'],
        requestedBy: 'x',
        changeReference: 'y',
      };
      expect(await startAndAwait(deployment, { ...request, ...equal })).toMatchObject({
        type: 'SinkRejected',
      });
    },

    async 'ten at once: five wait, five are refused; a redelivery goes through, and the five get its receipt'() {
      const request = deployment.newRequest({ sink: 'hangs' });
      const handle = await deployment.start(request);
      await eventually('an attempt', () => receiver.hanging(request) === 1);
      const outcomes = Array.from({ length: 10 }, () => awaitDelivery(handle, request));
      let refused = 0;
      for (const outcome of outcomes)
        void outcome.then(({ type }) => (refused += type === 'TooManyWaiting' ? 1 : 0));
      await eventually('five refusals', () => refused === 5);
      const { receipt } = await redeliver(handle, { sink: 'files' });
      const delivered = (await Promise.all(outcomes)).filter(({ type }) => type === 'delivered');
      expect(delivered.map((outcome) => outcome.receipt)).toEqual(Array.from({ length: 5 }, () => receipt));
    },

    async 'a thousand on an undelivered run: each gets the failure of the delivery, history does not grow'() {
      const request = toRejectingSink();
      const handle = await deployment.start(request);
      await untilStep(handle, 'undelivered');
      const { historyLength } = await handle.describe();
      const types = new Set<string>();
      // A run takes ten Updates at once.
      for (let round = 0; round < 100; round += 1) {
        const outcomes = await Promise.all(Array.from({ length: 10 }, () => awaitDelivery(handle, request)));
        for (const { type } of outcomes) types.add(type);
      }
      expect([...types]).toEqual(['SinkRejected']);
      expect((await handle.describe()).historyLength).toBe(historyLength);
      expect(await redeliver(handle, { sink: 'files' })).toMatchObject({ type: 'delivered' });
      expect(atlas.created(request)).toBe(1);
    },

    async 'ten starts against a sink that rejects, with awaitDelivery and without: one token, one redelivery delivers it'() {
      const request = toRejectingSink();
      for (let starts = 0; starts < 10; starts += 1) {
        expect(await startAndAwait(deployment, request)).toMatchObject({ type: 'SinkRejected' });
        await expect(deployment.start(request)).rejects.toThrow(WorkflowExecutionAlreadyStartedError);
      }
      expect(atlas.created(request)).toBe(1);
      expect(await redeliver(deployment.handleOf(request), { sink: 'files' })).toMatchObject({
        type: 'delivered',
      });
      expect(atlas.created(request)).toBe(1);
    },

    async 'during a redelivery it waits for its outcome, which need not be that of the first round'() {
      const request = toRejectingSink();
      const handle = await deployment.start(request);
      await untilStep(handle, 'undelivered');
      const redelivery = redeliver(handle, { sink: 'hangs' });
      await eventually('a redelivery', () => receiver.hanging(request) === 1);
      const waiting = await startWaiting(handle, request);
      receiver.release(request);
      const { receipt } = await redelivery;
      expect(await waiting.outcome()).toMatchObject({ type: 'delivered', receipt });
    },

    async 'after delivery: the start is refused, and result() has the receipt'() {
      const request = deployment.newRequest();
      const { receipt } = await startAndAwait(deployment, request);
      await expect(startAndAwait(deployment, request)).rejects.toThrow(WorkflowExecutionAlreadyStartedError);
      expect(await endingOf(deployment.handleOf(request))).toMatchObject({ type: 'delivered', receipt });
    },
  });
});

describe('a delivery goes on by itself', () => {
  it('undelivered when a round ends; delivered in the next one, once the sink is repaired', async () => {
    const own = await deploy({
      atlas,
      config: {
        sinks: { later: { type: 'file', directory: 'later' } },
        retries: { deliver: { initialIntervalMs: 50, roundMs: 1000, firstPauseMs: 3000 } },
      },
    });
    await own.startWorker();
    const handle = await own.start(own.newRequest({ sink: 'later' }));
    const { nextTryAt } = await untilStep(handle, 'undelivered');
    expect(nextTryAt).not.toBeNull();
    mkdirSync(path.join(own.folder, 'later'));
    expect(await endingOf(handle)).toMatchObject({ receipt: { sink: 'later', alsoTried: [] } });
    expect(Date.parse(String(nextTryAt))).toBeLessThanOrEqual(
      (await handle.describe()).closeTime?.getTime() ?? 0,
    );
  });
});
