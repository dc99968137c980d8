import { defaultPayloadConverter } from '@temporalio/common';
import { readHistories } from '../../../../src/commands/api-keys/read-histories';
import { ORG, aReceipt, aToken } from '../../samples';
import { STATUS, clientOf, listedRun, timestamp } from '../../temporal/scripted-server';

const payloads = (value: unknown) => ({ payloads: [defaultPayloadConverter.toPayload(value)] });
const CREATED_MS = Date.parse('2026-11-25T09:00:10.000Z');
const closed = {
  status: STATUS.completed,
  closeTime: timestamp(CREATED_MS + 60_000),
};

/** Serves the history of one closed run. */
const serve = (token: object | undefined, receipt: object | undefined) =>
  clientOf({
    list: () => ({ executions: [listedRun('run', closed)] }),
    readHistory: () => ({
      history: {
        events: [
          {
            eventId: 5,
            activityTaskScheduledEventAttributes: { activityType: { name: 'createLinkToken' } },
          },
          token && {
            eventTime: timestamp(CREATED_MS),
            activityTaskCompletedEventAttributes: { scheduledEventId: 5, result: payloads(token) },
          },
          { workflowExecutionCompletedEventAttributes: { result: payloads(receipt) } },
        ].filter(Boolean),
      },
    }),
  });

const { publicApiKey: _, ...tokenWithoutKey } = aToken();
const { publicApiKey: _r, ...receiptWithoutKey } = aReceipt();
const { deliveryId, publicApiKey } = aToken();
/** When Temporal took the token of the run. */
const createdAt = '2026-11-25T09:00:10.000Z';
const LONG_KEY = 'a'.repeat(17);

it.each<[what: string, token: object | undefined, receipt: object | undefined, expected: object]>([
  ['with its key', aToken(), aReceipt(), { deliveryId, publicApiKey, createdAt, sink: 'drop' }],
  [
    'whose key a worker did not write',
    tokenWithoutKey,
    receiptWithoutKey,
    { deliveryId, publicApiKey: null, createdAt, sink: 'drop' },
  ],
  [
    'that cannot be read, by its receipt',
    aToken({ publicApiKey: LONG_KEY }),
    aReceipt(),
    { deliveryId, publicApiKey, createdAt, sink: 'drop' },
  ],
  [
    'that cannot be read, without a receipt, by the time at which the run got it',
    { jwe: 'x' },
    undefined,
    { deliveryId: null, publicApiKey: null, createdAt, sink: null },
  ],
  [
    'whose history is gone, by the end of its run',
    undefined,
    undefined,
    { deliveryId: null, publicApiKey: null, createdAt: '2026-11-25T09:01:10.000Z', sink: null },
  ],
])('a delivered token %s is kept', async (_what, token, receipt, expected) => {
  const { tokens } = await readHistories(serve(token, receipt), ORG);
  expect(tokens).toEqual([expect.objectContaining({ state: 'delivered', ...expected })]);
});

it('what Temporal may have deleted while the histories were read is not known', async () => {
  let nowMs = Date.now();
  const clock = jest.spyOn(Date, 'now').mockImplementation(() => nowMs);
  const client = clientOf({
    list: () => ({ executions: [listedRun('run', closed)] }),
    readHistory() {
      nowMs += 300_000;
      return {};
    },
  });
  const { sinceMs } = await readHistories(client, ORG);
  clock.mockRestore();
  const retentionMs = 3_600_000;
  expect(sinceMs).toBe(nowMs - retentionMs);
});
