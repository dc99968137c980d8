import type { Info } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { MockActivityEnvironment } from '@temporalio/testing';
import { createLinkTokenActivity } from '../../../src/activities/create-link-token';
import type { AdminApi } from '../../../src/atlas/admin-api';
import { connectionError } from '../../../src/atlas/failures';
import type { SealedToken } from '../../../src/contract/schemas';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { payloadConverter } from '../../../src/shared/payload-converter';
import { eventually } from '../../support/eventually';
import { rejectionWithoutCanary } from '../rejection';
import { BACKOFF, FACTS, ORG, OTHER_ORG, SOURCE_ORG } from '../samples';
import { clientOf, grpcError, timestamp } from '../temporal/scripted-server';
import {
  OWN_ID,
  LATE_ATTEMPT,
  attemptIn,
  failureOf,
  organizations,
  refusedFields,
  sealer,
  stopDuring,
  type Untyped,
} from './attempt';

const UNAVAILABLE = 14;
const REQUEST = { ...FACTS, sink: 'drop' };
const INPUT = { request: REQUEST, unconfirmedTokens: 2, activityNumber: 1 };

/** Takes the heartbeat of an attempt after its request. */
const TEMPORAL = clientOf({ recordHeartbeat: () => ({}) });

/** A worker whose calls of Atlas return a token, unless a test says otherwise. */
function worker(seal = sealer) {
  const post = jest.fn<Promise<string>, Parameters<AdminApi['createLinkToken']>>();
  post.mockResolvedValue('CANARY-token');
  const atlas = { createLinkToken: post } as unknown as AdminApi;
  const activity = createLinkTokenActivity(
    { atlas, sealer: seal, organizations },
    BACKOFF,
  ) as Untyped;
  const attempt = (
    change: object = {},
    info: Partial<Info> = {},
    env = attemptIn(info, TEMPORAL),
  ) =>
    env.run<unknown[], unknown, Untyped>(activity, { ...INPUT, ...change }) as Promise<SealedToken>;
  return { post, attempt };
}

/** One attempt, for which Atlas must not be called. */
async function attemptWithoutCall(change?: object, info?: Partial<Info>): Promise<void> {
  const { post, attempt } = worker();
  await attempt(change, info).finally(() => expect(post).not.toHaveBeenCalled());
}

test('a token is created with the credential configured now, and returned sealed with its facts', async () => {
  const { post, attempt } = worker();
  const ofNewerRelease = { fieldOfANewerRelease: 1 };
  const sealed = await attempt({
    request: { ...REQUEST, credential: 'renamed meanwhile', ...ofNewerRelease },
  });
  expect(sealed).not.toHaveProperty('fieldOfANewerRelease');
  expect(post.mock.calls).toEqual([[ORG, ['192.31.196.7'], 'acme', expect.any(AbortSignal)]]);
  expect(JSON.stringify(sealed)).not.toContain('CANARY');
  const opened = { ...FACTS, linkToken: 'CANARY-token', unconfirmedTokens: 2 };
  await expect(sealer.open(sealed.jwe, OWN_ID)).resolves.toMatchObject(opened);
});

describe('Atlas is not called', () => {
  const inRunOf = (workflowId: string) => ({ workflowExecution: { workflowId, runId: 'run' } });
  const outside: object = {
    inWorkflow: false,
    workflowExecution: undefined,
    workflowType: undefined,
  };

  it.each<[when: string, field: string, change: object, info?: Partial<Info>]>([
    ['from outside of any workflow', 'workflowId', {}, outside],
    ['from another workflow type', 'workflowId', {}, { workflowType: 'mine' }],
    ['from a run with another id', 'workflowId', {}, inRunOf(`${OWN_ID}-2`)],
    ['with a path for an organization', 'request.orgId', { orgId: `${ORG}/apiKeys?x=` }],
    ['for the whole Internet', 'accessListIps[0]', { accessListIps: ['0.0.0.0/0'] }],
    ['with a warning of 1 MB', 'request.warnings[0]', { warnings: ['x'.repeat(1_000_000)] }],
    ['with 101 warnings', 'request.warnings', { warnings: Array<string>(101).fill('x') }],
  ])('%s, and the failure names %s', async (_when, field, change, ...[info]) => {
    const attempt = attemptWithoutCall(
      { request: { ...REQUEST, ...change } },
      { ...LATE_ATTEMPT, ...info },
    );
    expect(await refusedFields(attempt)).toEqual([field]);
  });

  it.each([
    ['for 20 attempts, since a worker of another release may read it', 20, false],
    ['no more after that', 21, true],
  ])(
    'for an input that cannot be read, and Temporal retries it %s',
    async (_when, attempt, nonRetryable) => {
      const failure = await failureOf(attemptWithoutCall({ request: {} }, { attempt }));
      expect(failure).toMatchObject({
        type: 'InvalidRequest',
        nonRetryable,
        details: [{ tokenMayExist: false }],
      });
      expect(failure.message).toContain('a worker of another release scheduled it');
    },
  );

  it('for an input of another workflow type that cannot be read, and Temporal never retries it', async () => {
    const failure = await failureOf(attemptWithoutCall({ request: {} }, { workflowType: 'mine' }));
    expect(failure).toMatchObject({ type: 'InvalidRequest', nonRetryable: true });
    expect(failure.message).toContain('the request is not valid');
  });

  it('for an organization without a configured credential, and the attempt is retried', async () => {
    const info = inRunOf(workflowIdFor({ orgId: OTHER_ORG, sourceOrgId: SOURCE_ORG }));
    const request = { ...REQUEST, orgId: OTHER_ORG };
    const failure = { type: 'AtlasUnavailable', nonRetryable: false };
    expect(await failureOf(attemptWithoutCall({ request }, info))).toMatchObject(failure);
  });
});

test('backoff grows across activities: attempt 2 of activity 2 backs off like a third attempt', async () => {
  const { post, attempt } = worker();
  post.mockRejectedValue(
    connectionError('linkTokens', false, 'ECONNREFUSED', 'https://atlas.test'),
  );
  const failure = await failureOf(attempt({ activityNumber: 2 }, { attempt: 2 }));
  expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(2000);
  expect(failure.nextRetryDelay).toBeLessThanOrEqual(4000);
});

describe('an attempt that has waited', () => {
  const DEADLINE_MS = 5000;
  const STARTED_LATE = { activityId: 'test', lastStartedTime: timestamp(DEADLINE_MS) };
  const RATE_LIMITED = {
    message: 'Atlas returned 429',
    applicationFailureInfo: {
      details: { payloads: [payloadConverter.toPayload({ status: 429, tokenMayExist: true })] },
    },
  };
  const retry = {
    activityId: 'test',
    attempt: 2,
    scheduledTimestampMs: 0,
    currentAttemptScheduledTimestampMs: 1000,
    startToCloseTimeoutMs: 60_000,
    scheduleToCloseTimeoutMs: 60_000 + DEADLINE_MS,
  };

  /** Runs an attempt whose run Temporal describes like this. */
  function attemptOf(describe: () => object, info: Partial<Info>, change: object = {}) {
    const { post, attempt } = worker();
    const client = clientOf({ recordHeartbeat: () => ({}), describe });
    return { post, ending: attempt(change, {}, attemptIn({ ...retry, ...info }, client)) };
  }

  it.each<[what: string, describe: () => object, failure: object]>([
    [
      'whose cancellation was requested',
      () => ({ workflowExtendedInfo: { cancelRequested: true } }),
      { nonRetryable: false, message: expect.stringContaining('cancellation') },
    ],
    [
      'whose deadline passed before it began',
      () => ({ pendingActivities: [STARTED_LATE] }),
      { nonRetryable: true, message: 'no worker took the attempt in time' },
    ],
    [
      'whose deadline passed after a 429',
      () => ({ pendingActivities: [{ ...STARTED_LATE, lastFailure: RATE_LIMITED }] }),
      {
        nonRetryable: true,
        message: RATE_LIMITED.message,
        details: [{ status: 429, tokenMayExist: false, runMayRetry: true }],
      },
    ],
    [
      'that Temporal does not describe',
      () => Promise.reject(grpcError(UNAVAILABLE, 'away')),
      { nonRetryable: false, message: expect.stringContaining(`(${UNAVAILABLE})`) },
    ],
  ])('sends nothing in a run %s', async (_what, describe, failure) => {
    const { post, ending } = attemptOf(describe, {});
    expect(await failureOf(ending)).toMatchObject({
      type: 'AtlasUnavailable',
      details: [{ tokenMayExist: false }],
      ...failure,
    });
    expect(post).not.toHaveBeenCalled();
  });

  it.each<[what: string, info: Partial<Info>, activityNumber: number, looks: number]>([
    ['is a second attempt: it looks, then', {}, 1, 1],
    ['had its number reset: it looks, then', { attempt: 1 }, 1, 1],
    [
      'belongs to a second activity: it looks, then',
      { attempt: 1, currentAttemptScheduledTimestampMs: 0 },
      2,
      1,
    ],
    [
      'is the first: it does not look, and',
      { attempt: 1, currentAttemptScheduledTimestampMs: 0 },
      1,
      0,
    ],
  ])('%s sends its request in an open run', async (_what, info, activityNumber, looks) => {
    const describe = jest.fn(() => ({
      pendingActivities: [{ activityId: 'test', lastStartedTime: timestamp(DEADLINE_MS - 1) }],
    }));
    const { post, ending } = attemptOf(describe, info, { activityNumber });
    await ending;
    expect(post).toHaveBeenCalledTimes(1);
    expect(describe).toHaveBeenCalledTimes(looks);
  });
});

const refusedConnection = () =>
  connectionError('linkTokens', false, 'ECONNREFUSED', 'https://atlas.test');

/** An attempt that creates nothing; its environment is that of a minute without Temporal. */
const FAILING_ATTEMPTS: [
  what: string,
  call: (env: MockActivityEnvironment) => AdminApi['createLinkToken'],
][] = [
  ['whose request failed', () => () => Promise.reject(refusedConnection())],
  [
    'that a cancel stopped',
    (env) => (_org, _list, _credential, signal) =>
      stopDuring(env, { cancelRequested: true })(signal),
  ],
];

it.each(FAILING_ATTEMPTS)(
  'an attempt %s reports it once Temporal takes a heartbeat',
  async (_what, call) => {
    let isAway = true;
    const recordHeartbeat = jest.fn(() => {
      if (isAway) throw grpcError(UNAVAILABLE, 'away');
      return {};
    });
    const env = attemptIn({ startToCloseTimeoutMs: 60_000 }, clientOf({ recordHeartbeat }));
    const { post, attempt } = worker();
    post.mockImplementation(call(env));
    let isOver = false;
    const failing = failureOf(attempt({}, {}, env));
    void failing.then(() => (isOver = true));
    await eventually('heartbeats', () => recordHeartbeat.mock.calls.length > 1);
    expect(isOver).toBe(false);
    isAway = false;
    await failing;
  },
);

test('an attempt that a cancel stops before its POST is cancelled; one that a shutdown stops is retried', async () => {
  const stopped = (details: object) => {
    const { post, attempt } = worker();
    const env = attemptIn({}, TEMPORAL);
    post.mockImplementation((_org, _list, _credential, signal) => stopDuring(env, details)(signal));
    return failureOf(attempt({}, {}, env));
  };
  expect(await stopped({ cancelRequested: true })).toBeInstanceOf(CancelledFailure);
  const retried = { type: 'AtlasUnavailable', nonRetryable: false };
  expect(await stopped({ workerShutdown: true })).toMatchObject(retried);
});

test('a token that cannot be sealed is lost, and shown nowhere', async () => {
  const { attempt } = worker({ ...sealer, seal: (token) => Promise.reject(new Error(token)) });
  const failure = await rejectionWithoutCanary(attempt(), ApplicationFailure);
  expect(failure).toMatchObject({ type: 'TokenLost', nonRetryable: true });
});
