import type { Client } from '@temporalio/client';
import { checkLinkActivity } from '../../../src/activities/check-link';
import type { AdminApi } from '../../../src/atlas/admin-api';
import { responseError } from '../../../src/atlas/outcomes';
import { SinkRejectedError, type Sink } from '../../../src/sinks/sink';
import { GRPC } from '../../../src/temporal/grpc';
import { ORG, OTHER_ORG, SOURCE_ORG, aSink } from '../samples';
import { clientOf } from '../temporal/scripted-server';
import { attemptIn, failureOf, organizations, type Untyped } from './attempt';

const isLinked = () => Promise.reject(new SinkRejectedError('the sink wants another role'));
const SINKS = new Map<string, Sink>([
  ['drop', aSink()],
  ['source', aSink({ isLinked })],
]);

const atlasReturns503 = () =>
  Promise.reject(
    responseError('availableProjects', 'acme', {
      status: 503,
      json: null,
      retryAfterMs: undefined,
    }),
  );
const notLinked: AdminApi['isLinked'] = () => Promise.resolve(false);

const denied = Object.assign(new Error(), {
  code: GRPC.permissionDenied,
  details: '',
  metadata: {},
});
const client = {
  withAbortSignal: (_signal: AbortSignal, work: () => Promise<unknown>) => work(),
  withDeadline: (_deadline: number, work: () => Promise<unknown>) => work(),
  workflow: { getHandle: () => ({ describe: () => Promise.reject(denied) }) },
} as unknown as Client;

it.each<[what: string, sink: string, atlas: AdminApi['isLinked'], failure: object]>([
  ['Atlas returns 503', 'drop', atlasReturns503, { type: 'AtlasUnavailable', nonRetryable: false }],
  ['the sink rejects', 'source', notLinked, { type: 'SinkRejected', nonRetryable: true }],
  [
    'Temporal denies reading runs',
    'drop',
    notLinked,
    { type: 'TemporalUnavailable', nonRetryable: true },
  ],
])('the check of a link fails when %s', async (_what, sink, atlas, failure) => {
  const services = { atlas: { isLinked: atlas } as AdminApi, sinks: SINKS, organizations };
  const activity = checkLinkActivity(services, 0) as Untyped;
  const input = { orgId: ORG, sourceOrgId: SOURCE_ORG, sink, lastTokenAt: null };
  const check = attemptIn({}, client).run<unknown[], unknown, Untyped>(activity, input);
  expect(await failureOf(check)).toMatchObject(failure);
});

it('a pair that the sink lacks is not linked: the next run says so', async () => {
  const sinks = new Map([
    ['source', aSink({ isLinked, sources: new Map([[SOURCE_ORG, OTHER_ORG]]) })],
  ]);
  const services = { atlas: { isLinked: notLinked } as AdminApi, sinks, organizations };
  const input = { orgId: ORG, sourceOrgId: SOURCE_ORG, sink: 'source', lastTokenAt: null };
  const activity = checkLinkActivity(services, 0) as Untyped;
  const check = attemptIn({}, client).run<unknown[], unknown, Untyped>(activity, input);
  await expect(check).resolves.toMatchObject({ linked: false, recentToken: false });
});

it.each([
  ['recent, though the clock of the worker is an hour fast', 3_600_000, 59_999, true],
  ['not recent, though the clock of the worker is an hour slow', -3_600_000, 60_000, false],
])('the last token is %s', async (_what, errorMs, ageMs, recentToken) => {
  const services = { atlas: { isLinked: notLinked } as AdminApi, sinks: SINKS, organizations };
  const activity = checkLinkActivity(services, 60_000) as Untyped;
  const nowMs = Date.now() - errorMs;
  const lastTokenAt = new Date(nowMs - ageMs).toISOString();
  const input = { orgId: ORG, sourceOrgId: SOURCE_ORG, sink: 'drop', lastTokenAt };
  const env = attemptIn(
    { currentAttemptScheduledTimestampMs: nowMs },
    clientOf({ list: () => ({ executions: [] }) }),
  );
  const check = env.run<unknown[], unknown, Untyped>(activity, input);
  await expect(check).resolves.toMatchObject({ recentToken, lastTokenAt });
});
