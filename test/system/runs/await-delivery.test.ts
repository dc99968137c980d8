import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { atOnce } from '../../support/at-once';
import type { TestAtlas } from '../../support/atlas';
import { FILE_SINKS, type Deployment } from '../../support/deployment';
import { endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { newAddress } from '../../support/ids';
import { startSetting } from '../../support/setting';
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

beforeAll(async () => {
  receiver = await startWebhookReceiver();
  ({ atlas, deployment } = await startSetting({
    env: receiver.env,
    config: { sinks: { ...FILE_SINKS, hangs: receiver.sink('hangs') } },
  }));
});

const toRejectingSink = () => deployment.newRequest({ sink: 'rejects', accessListIps: [newAddress()] });

describe('awaitDelivery', () => {
  atOnce({
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
        ['(orgId, sourceOrgId, sink, accessListIps)', null],
        ['(orgId, sourceOrgId, sink, accessListIps)', 'a request'],
        ['(orgId, sourceOrgId, sink, accessListIps)', []],
      ];
      for (const [fields, other] of others) {
        const { type, message } = await awaitDelivery(handle, other);
        expect({ type, message }).toEqual({
          type: 'OtherRequest',
          message: expect.stringContaining(fields) as string,
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
