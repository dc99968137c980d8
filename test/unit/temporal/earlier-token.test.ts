import { defaultPayloadConverter } from '@temporalio/common';
import { findEarlierToken } from '../../../src/temporal/earlier-token';
import { aReceipt } from '../samples';
import { STATUS, clientOf, grpcError, listedRun } from './scripted-server';

/** Status code of gRPC. */
const NOT_FOUND = 5;

const payload = (value: unknown) => defaultPayloadConverter.toPayload(value);

it('a token delivered just before a termination counts as delivered, despite the memo', async () => {
  const { deliveryId } = aReceipt();
  const memo = { fields: { step: payload('undelivered'), deliveryId: payload(deliveryId) } };
  const result = { payloads: [payload(aReceipt())] };
  const activityType = { name: 'deliverLinkToken' };
  const events = [
    { eventId: 5, activityTaskScheduledEventAttributes: { activityType } },
    { activityTaskCompletedEventAttributes: { scheduledEventId: 5, result } },
  ];
  const client = clientOf({
    list: () => ({ executions: [listedRun('run', { memo })] }),
    readHistory: () => ({ history: { events } }),
  });
  const token = await findEarlierToken(client, 'live-migration-prep/pair');
  expect(token).toMatchObject({ state: 'delivered', deliveryId });
});

it('the id of a run that is not known permits no other token', async () => {
  const client = clientOf({
    list: () => ({ executions: [listedRun('run', { status: STATUS.completed })] }),
    describe: () => Promise.reject(grpcError(NOT_FOUND, 'no such run')),
  });
  const token = await findEarlierToken(client, 'live-migration-prep/pair', {
    permitted: 'unknown',
  });
  expect(token).toMatchObject({ runId: 'run', state: 'delivered' });
});
