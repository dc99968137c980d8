import { defaultPayloadConverter } from '@temporalio/common';
import { readRun } from '../../../src/temporal/read-history';
import { aToken } from '../samples';
import { clientOf } from './scripted-server';

const payloads = (...values: unknown[]) => ({
  payloads: values.map((value) => defaultPayloadConverter.toPayload(value)),
});
const scheduled = (eventId: number, name: string, ...input: unknown[]) => ({
  eventId,
  activityTaskScheduledEventAttributes: { activityType: { name }, input: payloads(...input) },
});

/** Serves a history of one event a page. */
const serve = (events: object[]) =>
  clientOf({
    list: () => ({}),
    readHistory({ nextPageToken }) {
      const at = Number(Buffer.from(nextPageToken ?? []).toString());
      const next = at + 1 < events.length ? { nextPageToken: Buffer.from(String(at + 1)) } : {};
      return { history: { events: [events[at]] }, ...next };
    },
  });

const RUN = { workflowId: 'live-migration-prep/pair', runId: 'run' };

it('a run with a malformed argument and a malformed sink is read', async () => {
  const client = serve([
    { workflowExecutionStartedEventAttributes: { input: payloads([1, 2]) } },
    scheduled(2, 'deliverLinkToken', { jwe: 'x' }, { toString: 0, valueOf: 0 }),
    scheduled(3, 'deliverLinkToken', { jwe: 'x' }, 'drop'),
    scheduled(4, 'deliverLinkToken', { jwe: 'x' }, 'drop'),
  ]);
  expect(await readRun(client, RUN)).toMatchObject({
    request: {},
    token: null,
    sinksTried: ['drop'],
  });
});

const STARTED = { ...scheduled(5, 'createLinkToken'), eventTime: { seconds: 10 } };
const [STARTED_AT, ENDED_AT] = ['1970-01-01T00:00:10.000Z', '1970-01-01T00:00:20.000Z'];
const completed = (result: unknown) => ({
  activityTaskCompletedEventAttributes: { scheduledEventId: 5, result: payloads(result) },
});

it('a completed creation has its token', async () => {
  const client = serve([STARTED, { eventTime: { seconds: 20 }, ...completed(aToken()) }]);
  expect(await readRun(client, RUN)).toMatchObject({
    token: aToken(),
    creatingSince: null,
  });
});

it('a completed creation has the time of a token that cannot be read', async () => {
  const client = serve([STARTED, { eventTime: { seconds: 20 }, ...completed({ jwe: 'x' }) }]);
  const unconfirmedAttempts: object[] = [];
  expect(await readRun(client, RUN)).toMatchObject({
    token: null,
    tokenAt: ENDED_AT,
    creatingSince: null,
    unconfirmedAttempts,
  });
});

it('an open creation has the time since which the run waits for it', async () => {
  expect(await readRun(serve([STARTED]), RUN)).toMatchObject({
    token: null,
    creatingSince: STARTED_AT,
  });
});

const CANCELLED = { activityTaskCanceledEventAttributes: { scheduledEventId: 5 } };

it.each([
  ['completed', completed({ jwe: 5 }), 'completed without a token of this run'],
  ['cancelled', CANCELLED, 'no result'],
])('a creation that another client %s is an unconfirmed attempt', async (_how, end, reason) => {
  const client = serve([STARTED, { eventTime: { seconds: 20 }, ...end }]);
  const unconfirmedAttempts = [{ startedAt: STARTED_AT, endedAt: ENDED_AT, reason }];
  expect(await readRun(client, RUN)).toMatchObject({ token: null, unconfirmedAttempts });
});

it('a creation that ends as cancelled in a cancelled run sent nothing', async () => {
  const requested = { workflowExecutionCancelRequestedEventAttributes: {} };
  const client = serve([STARTED, requested, CANCELLED]);
  expect(await readRun(client, RUN)).toMatchObject({ unconfirmedAttempts: [] });
});

it.each([
  ['a large history is read in pages of two events', 40_000_000, 2],
  ['any other history is read in pages of the size that the server prefers', 40_000, 0],
])('%s', async (_what, historySize, pageSize) => {
  const sizes: unknown[] = [];
  const client = clientOf({
    list: () => ({}),
    readHistory({ maximumPageSize }) {
      sizes.push(maximumPageSize);
      return { history: { events: [] } };
    },
  });
  await readRun(client, { ...RUN, historySize });
  expect(sizes).toEqual([pageSize]);
});

it.each([
  ['was lost', 'counts', {}, 1],
  ['may have created a token', 'counts', { tokenMayExist: true }, 1],
  ['created nothing', 'does not count', { tokenMayExist: false }, 0],
])(
  'an attempt that %s after the last workflow task of a terminated run %s',
  async (_what, _counts, details, count) => {
    const failure = { message: 'why', applicationFailureInfo: { details: payloads({}, details) } };
    const failed = { scheduledEventId: 5, failure };
    const client = serve([
      scheduled(5, 'createLinkToken'),
      { activityTaskFailedEventAttributes: failed },
    ]);
    const { unconfirmedAttempts } = await readRun(client, RUN);
    expect(unconfirmedAttempts.map(({ reason }) => reason)).toEqual(Array(count).fill('why'));
  },
);
