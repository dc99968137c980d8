import { CancelledFailure } from '@temporalio/common';
import { createLinkTokenActivity } from '../../../src/activities/create-link-token';
import type { AdminApi } from '../../../src/atlas/admin-api';
import { AtlasConnectionError } from '../../../src/atlas/errors';
import type { CreateInput } from '../../../src/contract/schemas';
import type { SealedToken, ValidRequest } from '../../../src/contract/schemas';
import type { Sealer } from '../../../src/sealing';
import {
  FOREIGN_CALLERS,
  ORG,
  OWN_ID,
  SOURCE_ORG,
  UNMAPPED_ORG,
  attemptIn,
  failureOf,
  organizations,
  refusedFields,
  sealer,
} from './attempt';

const REQUEST: ValidRequest = {
  orgId: ORG,
  sourceOrgId: SOURCE_ORG,
  accessListIps: ['192.31.196.7'],
  sink: 'drop',
  credential: 'acme',
  warnings: [],
  requestedBy: null,
  changeReference: null,
};

const PLAN = {
  initialIntervalMs: 1,
  backoffCoefficient: 2,
  maximumIntervalMs: 3,
  attemptTimeoutMs: 60_000,
  heartbeatTimeoutMs: 10_000,
  giveUpAfterMs: 60_000,
};

type Create = AdminApi['createLinkToken'];

/** One attempt, and the calls of the Admin API that it made. */
function run(
  input: unknown,
  {
    env = attemptIn(),
    create = () => Promise.resolve('CANARY-token'),
    seal = sealer,
    served = organizations,
    plan = PLAN,
  }: {
    env?: ReturnType<typeof attemptIn>;
    create?: Create;
    seal?: Sealer;
    served?: typeof organizations;
    plan?: typeof PLAN;
  } = {},
) {
  const calls: Parameters<Create>[] = [];
  const atlas = {
    createLinkToken(...args: Parameters<Create>) {
      calls.push(args);
      return create(...args);
    },
  } as unknown as AdminApi;
  const activity = createLinkTokenActivity(atlas, seal, served, plan);
  return {
    calls,
    result: env.run<[unknown], SealedToken, (input: unknown) => Promise<SealedToken>>(
      activity as (input: unknown) => Promise<SealedToken>,
      input,
    ),
  };
}

const inputOf = (change: object = {}, more: Partial<CreateInput> = {}) => ({
  request: { ...REQUEST, ...change },
  unconfirmedTokens: 2,
  tries: 1,
  deadlineAtMs: Date.now() + 3_600_000,
  ...more,
});

test('a created token comes back sealed for its run, with the count and the credential that created it', async () => {
  const { calls, result } = run(inputOf({ credential: 'renamed meanwhile' }));
  const sealed = await result;
  expect(calls.map(([orgId, entries, credential]) => [orgId, entries, credential])).toEqual([
    [ORG, ['192.31.196.7'], 'acme'],
  ]);
  expect(JSON.stringify(sealed)).not.toContain('CANARY');
  await expect(sealer.open(sealed.jwe, OWN_ID)).resolves.toMatchObject({
    linkToken: 'CANARY-token',
    orgId: ORG,
    sourceOrgId: SOURCE_ORG,
    credential: 'acme',
    unconfirmedTokens: 2,
  });
});

describe('nothing that comes from the namespace is trusted: no call of Atlas', () => {
  it.each(FOREIGN_CALLERS)('%s', async (_what, info) => {
    const { calls, result } = run(inputOf(), { env: attemptIn(info) });
    expect(await refusedFields(result)).toEqual(['workflowId']);
    expect(calls).toEqual([]);
  });

  it.each<[what: string, change: object, field: string]>([
    ['an organization id with a path', { orgId: `${ORG}/apiKeys?x=` }, 'request.orgId'],
    ['a source organization with a path', { sourceOrgId: '/../../evil/PWNED' }, 'request.sourceOrgId'],
    ['the whole Internet on the access list', { accessListIps: ['0.0.0.0/0'] }, 'accessListIps[0]'],
    ['an entry that is no text', { accessListIps: [5] }, 'request.accessListIps[0]'],
    ['a text of a megabyte', { requestedBy: 'x'.repeat(1_000_000) }, 'request.requestedBy'],
    ['more fields than a request has', { url: 'https://example.com' }, 'request.url'],
  ])('%s', async (_what, change, field) => {
    const { calls, result } = run(inputOf(change));
    expect(await refusedFields(result)).toEqual([field]);
    expect(calls).toEqual([]);
  });

  it.each([undefined, null, 'text', [], {}])('%j for an input', async (input) => {
    const { calls, result } = run(input);
    expect(await refusedFields(result)).not.toEqual([]);
    expect(calls).toEqual([]);
  });

  it('an organization that the configuration does not serve', async () => {
    const env = attemptIn({
      workflowExecution: { workflowId: `live-migration-prep/${UNMAPPED_ORG}/${SOURCE_ORG}`, runId: 'run' },
    });
    const { calls, result } = run(inputOf({ orgId: UNMAPPED_ORG }), { env });
    expect(await failureOf(result)).toMatchObject({
      type: 'AtlasUnavailable',
      nonRetryable: false,
      message: expect.stringContaining('no credential for this organization') as unknown,
    });
    expect(calls).toEqual([]);
  });
});

it.each([
  [1, 1, 0.5, 1],
  [1, 2, 1, 2],
  [2, 1, 1, 2],
  [3, 2, 4, 8],
  [9, 1, 30, 60],
])(
  'on try %i, attempt %i, the next attempt follows after %d to %d s',
  async (tries, attempt, leastS, mostS) => {
    const { result } = run(inputOf({}, { tries }), {
      env: attemptIn({ attempt }),
      create: () => Promise.reject(new AtlasConnectionError('linkTokens', false, 'ECONNREFUSED')),
      plan: { ...PLAN, initialIntervalMs: 1000, maximumIntervalMs: 60_000, giveUpAfterMs: 3_600_000 },
    });
    const failure = await failureOf(result);
    const nextRetryDelay = Number(failure.nextRetryDelay);
    expect(nextRetryDelay).toBeGreaterThanOrEqual(leastS * 1000);
    expect(nextRetryDelay).toBeLessThanOrEqual(mostS * 1000);
  },
);

describe('an attempt sends nothing', () => {
  it('after the deadline', async () => {
    const { calls, result } = run(inputOf({}, { deadlineAtMs: Date.now() - 1 }));
    expect(await failureOf(result)).toMatchObject({
      type: 'AtlasUnavailable',
      nonRetryable: true,
      message: expect.stringMatching(/^gave up: the retry deadline passed/) as unknown,
    });
    expect(calls).toEqual([]);
  });

  it.each([
    [
      'the run is cancelled: the activity ends cancelled',
      'CANCELLED',
      { cancelRequested: true },
      CancelledFailure,
    ],
    ['the worker stops: Temporal retries elsewhere', 'WORKER_SHUTDOWN', { workerShutdown: true }, Error],
  ] as const)('when, before it is written, %s', async (_what, reason, details, type) => {
    const env = attemptIn();
    const { result } = run(inputOf(), {
      env,
      create: (_org, _list, _credential, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
          env.cancel(reason, details as never);
        }),
    });
    const failure = await failureOf(result);
    expect(failure).toBeInstanceOf(type);
    if (reason === 'WORKER_SHUTDOWN') {
      expect(failure).toMatchObject({ type: 'AtlasUnavailable', nonRetryable: false });
    }
  });
});

describe('after the request was written', () => {
  it('a response that does not come makes the token unconfirmed', async () => {
    const { result } = run(inputOf(), {
      create: () => Promise.reject(new AtlasConnectionError('linkTokens', true, 'ECONNRESET')),
    });
    expect(await failureOf(result)).toMatchObject({ type: 'TokenUnconfirmed', nonRetryable: true });
  });

  it('a token that cannot be sealed is lost, and its text is nowhere', async () => {
    const seal: Sealer = { ...sealer, seal: (token) => Promise.reject(new Error(token)) };
    const failure = await failureOf(run(inputOf(), { seal }).result);
    expect(failure).toMatchObject({ type: 'TokenLost', nonRetryable: true });
    expect(
      [failure.message, failure.stack, String(failure.cause), JSON.stringify(failure)].join(),
    ).not.toContain('CANARY');
  });
});
