import type { Info } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { LogEntry } from '@temporalio/worker';
import { createLinkTokenActivity } from '../../../src/activities/create-link-token';
import type { AdminApi } from '../../../src/atlas/admin-api';
import { connectionError } from '../../../src/atlas/outcomes';
import type { SealedToken } from '../../../src/contract/schemas';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { eventually } from '../../support/eventually';
import { rejectionWithoutCanary } from '../rejection';
import { BACKOFF, FACTS, ORG, OTHER_ORG, SOURCE_ORG } from '../samples';
import { clientOf, grpcError } from '../temporal/scripted-server';
import {
  OWN_ID,
  FOREIGN,
  attemptIn,
  failureOf,
  organizations,
  refusedFields,
  sealer,
  type Untyped,
} from './attempt';

const UNAVAILABLE = 14;
const REQUEST = { ...FACTS, sink: 'drop' };
const INPUT = { request: REQUEST, unconfirmedTokens: 2, activityNumber: 1 };

/** A Temporal that accepts the heartbeat after the request. */
const TEMPORAL = clientOf({ recordHeartbeat: () => ({}) });

const refusedConnection = () =>
  connectionError('linkTokens', false, 'ECONNREFUSED', 'https://atlas.test');

/** A worker whose calls to Atlas return a token, unless a test says otherwise. */
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

/** Runs one attempt, which must not call Atlas. */
async function attemptWithoutCall(change?: object, info?: Partial<Info>): Promise<void> {
  const { post, attempt } = worker();
  await attempt(change, info).finally(() => expect(post).not.toHaveBeenCalled());
}

it('a token is created with the current credential, and returned sealed', async () => {
  const { post, attempt } = worker();
  const ofNewerRelease = { fieldOfANewerRelease: 1 };
  const sealed = await attempt({
    request: { ...REQUEST, credential: 'renamed meanwhile', ...ofNewerRelease },
  });
  expect(sealed).not.toHaveProperty('fieldOfANewerRelease');
  expect(post.mock.calls).toEqual([[ORG, ['192.31.196.7'], 'acme']]);
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
      { ...FOREIGN, ...info },
    );
    expect(await refusedFields(attempt)).toEqual([field]);
  });

  it('for an unreadable input, and the attempt is retried: another release may read it', async () => {
    const failure = await failureOf(attemptWithoutCall({ request: {} }));
    expect(failure).toMatchObject({
      type: 'InvalidRequest',
      nonRetryable: false,
      details: [{}, { tokenMayExist: false, permanent: false }],
    });
    expect(failure.message).toContain('a worker of another release scheduled it');
  });

  it('for an unreadable input of another workflow type, and the attempt is the last', async () => {
    const failure = await failureOf(attemptWithoutCall({ request: {} }, { workflowType: 'mine' }));
    expect(failure).toMatchObject({ type: 'InvalidRequest', nonRetryable: true });
    expect(failure.message).toContain('the request is not valid');
  });

  it('for an organization without a credential, and the attempt is retried', async () => {
    const info = inRunOf(workflowIdFor({ orgId: OTHER_ORG, sourceOrgId: SOURCE_ORG }));
    const request = { ...REQUEST, orgId: OTHER_ORG };
    const failure = { type: 'AtlasUnavailable', nonRetryable: false };
    expect(await failureOf(attemptWithoutCall({ request }, info))).toMatchObject(failure);
  });
});

it('backoff grows across activities: attempt 2 of activity 2 backs off like a third attempt', async () => {
  const { post, attempt } = worker();
  post.mockRejectedValue(refusedConnection());
  const failure = await failureOf(attempt({ activityNumber: 2 }, { attempt: 2 }));
  expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(2000);
  expect(failure.nextRetryDelay).toBeLessThanOrEqual(4000);
});

it('an attempt whose request failed ends only once Temporal accepts a heartbeat', async () => {
  let isAway = true;
  const recordHeartbeat = jest.fn(() => {
    if (isAway) throw grpcError(UNAVAILABLE, 'away');
    return {};
  });
  const env = attemptIn({ startToCloseTimeoutMs: 60_000 }, clientOf({ recordHeartbeat }));
  const { post, attempt } = worker();
  post.mockRejectedValue(refusedConnection());
  let isOver = false;
  const failing = failureOf(attempt({}, {}, env));
  void failing.then(() => (isOver = true));
  await eventually('heartbeats', () => isOver || recordHeartbeat.mock.calls.length > 1);
  expect(isOver).toBe(false);
  isAway = false;
  await failing;
});

it('a token is in the log before its attempt waits for Temporal, where a worker may end', async () => {
  const order: string[] = [];
  const recordHeartbeat = () => {
    order.push('heartbeat');
    return {};
  };
  const writeLog = ({ message }: LogEntry) => order.push(message);
  const env = attemptIn({}, clientOf({ recordHeartbeat }), writeLog);
  await worker().attempt({}, {}, env);
  expect(order).toEqual(['link-token received', 'heartbeat']);
});

it.each([{ cancelRequested: true }, { workerShutdown: true }])(
  'an attempt that has begun returns its token, although it is to stop: %j',
  async (details) => {
    const { post, attempt } = worker();
    const env = attemptIn({}, TEMPORAL);
    post.mockImplementation(() => {
      env.cancel('CANCELLED', details as never);
      return Promise.resolve('CANARY-token');
    });
    await expect(attempt({}, {}, env)).resolves.toHaveProperty('jwe');
  },
);

it('a token that is lost names its API key', async () => {
  const content = {
    publicApiKey: 'abcdefgh',
    privateApiKey: 'CANARY',
    orgName: 'x'.repeat(60_000),
  };
  const linkToken = Buffer.from(JSON.stringify(content)).toString('base64');
  const { attempt, post } = worker();
  post.mockResolvedValue(linkToken);
  const failure = await rejectionWithoutCanary(attempt(), ApplicationFailure);
  expect(failure.details?.[0]).toEqual({ publicApiKey: 'abcdefgh' });
});

it('a token that cannot be sealed is lost, and shown nowhere', async () => {
  const { attempt } = worker({ ...sealer, seal: (token) => Promise.reject(new Error(token)) });
  const failure = await rejectionWithoutCanary(attempt(), ApplicationFailure);
  expect(failure).toMatchObject({ type: 'TokenLost', nonRetryable: true });
});
