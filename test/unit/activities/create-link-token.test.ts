import { CancelledFailure } from '@temporalio/common';
import { createLinkTokenActivity } from '../../../src/activities/create-link-token';
import type { AdminApi } from '../../../src/atlas/admin-api';
import { connectionError } from '../../../src/atlas/outcomes';
import type { CreateInput } from '../../../src/contract/activity-inputs';
import type { SealedToken, ValidRequest } from '../../../src/contract/schemas';
import { eventually } from '../../support/eventually';
import {
  FOREIGN_CALLERS,
  ORG,
  OWN_ID,
  PLAN,
  SOURCE_ORG,
  UNMAPPED_ORG,
  attemptIn,
  failureOf,
  organizations,
  refusedFields,
  sealer,
} from './attempt';

const REQUEST: ValidRequest = {
  ...{ orgId: ORG, sourceOrgId: SOURCE_ORG, accessListIps: ['192.31.196.7'], sink: 'drop' },
  ...{ credential: 'acme', warnings: [], requestedBy: null, changeReference: null },
};

type Create = AdminApi['createLinkToken'];

interface Attempt {
  env?: ReturnType<typeof attemptIn>;
  create?: Create;
  seal?: typeof sealer;
  plan?: typeof PLAN;
}

const created = () => Promise.resolve('CANARY-token');

/** One attempt, and the calls of the Admin API that it made. */
function run(
  input: unknown,
  { env = attemptIn(), create = created, seal = sealer, plan = PLAN }: Attempt = {},
) {
  const calls: Parameters<Create>[] = [];
  const createLinkToken: Create = (...args) => {
    calls.push(args);
    return create(...args);
  };
  const atlas = { createLinkToken } as unknown as AdminApi;
  const activity = createLinkTokenActivity(atlas, seal, organizations, { ...plan, giveUpAfterMs: 3_600_000 });
  type Untyped = (input: unknown) => Promise<SealedToken>;
  const result = env.run<[unknown], SealedToken, Untyped>(activity as Untyped, input);
  return { calls, result };
}

async function runWithoutCall(...args: Parameters<typeof run>): Promise<void> {
  const { calls, result } = run(...args);
  await result.finally(() => expect(calls).toEqual([]));
}

const inputOf = (change: object = {}, more: Partial<CreateInput> = {}) => ({
  request: { ...REQUEST, ...change },
  unconfirmedTokens: 2,
  activityNumber: 1,
  deadlineAtMs: Date.now() + 3_600_000,
  ...more,
});

test('a created token comes back sealed for its run, with the count, the warnings and the credential that created it', async () => {
  const warnings = ['accessListIps[1] "192.31.196.7" is a duplicate: it is sent once'];
  const { calls, result } = run(inputOf({ credential: 'renamed meanwhile', warnings }));
  const sealed = await result;
  expect(calls).toEqual([[ORG, ['192.31.196.7'], 'acme', expect.any(AbortSignal)]]);
  expect(JSON.stringify(sealed)).not.toContain('CANARY');
  await expect(sealer.open(sealed.jwe, OWN_ID)).resolves.toMatchObject({
    ...{ linkToken: 'CANARY-token', credential: 'acme', unconfirmedTokens: 2 },
    ...{ orgId: ORG, sourceOrgId: SOURCE_ORG, warnings },
  });
});

describe('nothing that comes from the namespace is trusted: no call of Atlas', () => {
  it.each(FOREIGN_CALLERS)('%s', async (_what, info) => {
    const attempt = runWithoutCall(inputOf(), { env: attemptIn(info) });
    expect(await refusedFields(attempt)).toEqual(['workflowId']);
  });

  it.each<[what: string, change: object, field: string]>([
    ['an organization id with a path', { orgId: `${ORG}/apiKeys?x=` }, 'request.orgId'],
    ['a source organization with a path', { sourceOrgId: '/../../evil/PWNED' }, 'request.sourceOrgId'],
    ['the whole Internet on the access list', { accessListIps: ['0.0.0.0/0'] }, 'accessListIps[0]'],
    ['an entry that is no text', { accessListIps: [5] }, 'request.accessListIps[0]'],
    ['a text of a megabyte', { requestedBy: 'x'.repeat(1_000_000) }, 'request.requestedBy'],
    ['a warning of a megabyte', { warnings: ['x'.repeat(1_000_000)] }, 'request.warnings[0]'],
    ['very many warnings', { warnings: Array<string>(101).fill('x') }, 'request.warnings'],
    ['more fields than a request has', { url: 'https://example.com' }, 'request.url'],
  ])('%s', async (_what, change, field) => {
    expect(await refusedFields(runWithoutCall(inputOf(change)))).toEqual([field]);
  });

  it.each([undefined, null, 'text', [], {}])('%j for an input', async (input) => {
    expect(await refusedFields(runWithoutCall(input))).not.toEqual([]);
  });

  it('an organization that the configuration does not serve', async () => {
    const workflowId = `live-migration-prep/${UNMAPPED_ORG}/${SOURCE_ORG}`;
    const env = attemptIn({ workflowExecution: { workflowId, runId: 'run' } });
    const failure = await failureOf(runWithoutCall(inputOf({ orgId: UNMAPPED_ORG }), { env }));
    expect(failure).toMatchObject({ type: 'AtlasUnavailable', nonRetryable: false });
    expect(failure.message).toContain('no credential for this organization');
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
  async (activityNumber, attempt, leastS, mostS) => {
    const { result } = run(inputOf({}, { activityNumber }), {
      env: attemptIn({ attempt }),
      create: () =>
        Promise.reject(connectionError('linkTokens', false, 'ECONNREFUSED', 'https://atlas.test')),
      plan: { ...PLAN, initialIntervalMs: 1000, maximumIntervalMs: 60_000 },
    });
    const nextRetryDelay = Number((await failureOf(result)).nextRetryDelay);
    expect(nextRetryDelay).toBeGreaterThanOrEqual(leastS * 1000);
    expect(nextRetryDelay).toBeLessThanOrEqual(mostS * 1000);
  },
);

describe('an attempt sends nothing', () => {
  it('after the deadline', async () => {
    const failure = await failureOf(runWithoutCall(inputOf({}, { deadlineAtMs: Date.now() - 1 })));
    expect(failure).toMatchObject({ type: 'AtlasUnavailable', nonRetryable: true });
    expect(failure.message).toMatch(/^gave up: the retry deadline passed/);
  });

  /** The failure of an attempt that is stopped before its request is written. */
  function stopped(...how: Parameters<ReturnType<typeof attemptIn>['cancel']>) {
    const env = attemptIn();
    const create: Create = (_org, _list, _credential, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
        env.cancel(...how);
      });
    return failureOf(run(inputOf(), { env, create }).result);
  }

  it('when, before it is written, the run is cancelled: the activity ends cancelled', async () => {
    expect(await stopped('CANCELLED', { cancelRequested: true } as never)).toBeInstanceOf(CancelledFailure);
  });

  it('when, before it is written, the worker stops: Temporal retries elsewhere', async () => {
    const failure = await stopped('WORKER_SHUTDOWN', { workerShutdown: true } as never);
    expect(failure).toMatchObject({ type: 'AtlasUnavailable', nonRetryable: false });
  });
});

describe('after the request was written', () => {
  it('a response that does not come makes the token unconfirmed', async () => {
    const create = () =>
      Promise.reject(connectionError('linkTokens', true, 'ECONNRESET', 'https://atlas.test'));
    const failure = await failureOf(run(inputOf(), { create }).result);
    expect(failure).toMatchObject({ type: 'TokenUnconfirmed', nonRetryable: true });
  });

  it('a token that cannot be sealed is lost, and its text is nowhere', async () => {
    const seal = { ...sealer, seal: (token: string) => Promise.reject(new Error(token)) };
    const failure = await failureOf(run(inputOf(), { seal }).result);
    expect(failure).toMatchObject({ type: 'TokenLost', nonRetryable: true });
    const { message, stack, cause } = failure;
    expect([message, stack, String(cause), JSON.stringify(failure)].join()).not.toContain('CANARY');
  });
});

describe('the token of an attempt that the run counts as lost', () => {
  /** Attempts of one worker, which receive these tokens one after the other. */
  function worker(...responses: (() => Promise<string>)[]) {
    const calls = jest.fn(() => (responses.shift() ?? created)());
    const atlas = { createLinkToken: calls } as unknown as AdminApi;
    const activity = createLinkTokenActivity(atlas, sealer, organizations, {
      ...PLAN,
      giveUpAfterMs: 3_600_000,
    });
    const attempt = (more: Partial<CreateInput>, runId = 'run') =>
      attemptIn({ workflowExecution: { workflowId: OWN_ID, runId } }).run<
        [CreateInput],
        SealedToken,
        typeof activity
      >(activity, inputOf({}, more));
    return { calls, attempt };
  }

  it('comes back from the next one, with the count before, even after the deadline', async () => {
    const { calls, attempt } = worker();
    const token = await attempt({ unconfirmedTokens: 2 });
    const deadlineAtMs = Date.now() - 1;
    expect(await attempt({ unconfirmedTokens: 3, activityNumber: 2, deadlineAtMs })).toEqual(token);
    expect(calls).toHaveBeenCalledTimes(1);
  });

  it('comes back once more when the attempt that found it is lost, too', async () => {
    const { calls, attempt } = worker();
    const token = await attempt({ unconfirmedTokens: 2 });
    for (const unconfirmedTokens of [3, 3, 4, 5])
      expect(await attempt({ unconfirmedTokens, activityNumber: unconfirmedTokens - 1 })).toEqual(token);
    expect(calls).toHaveBeenCalledTimes(1);
  });

  it('is waited for while its request is under way', async () => {
    let respond: (token: string) => void = () => undefined;
    const response = new Promise<string>((resolve) => {
      respond = resolve;
    });
    const { calls, attempt } = worker(() => response);
    const lost = attempt({ unconfirmedTokens: 0 });
    await eventually('its request', () => calls.mock.calls.length === 1);
    const next = attempt({ unconfirmedTokens: 1, activityNumber: 2 });
    respond('CANARY-token');
    expect(await next).toEqual(await lost);
    expect(calls).toHaveBeenCalledTimes(1);
  });

  it.each<[what: string, more: Partial<CreateInput>, runId: string]>([
    ['another run', { unconfirmedTokens: 3 }, 'another run'],
    ['a run that counts nothing more', { unconfirmedTokens: 2 }, 'run'],
    ['a run that counts an attempt elsewhere, too', { unconfirmedTokens: 4 }, 'run'],
  ])('is not that of %s, for which another is created', async (_what, more, runId) => {
    const { calls, attempt } = worker();
    const { deliveryId } = await attempt({ unconfirmedTokens: 2 });
    expect((await attempt({ ...more, activityNumber: 2 }, runId)).deliveryId).not.toBe(deliveryId);
    expect(calls).toHaveBeenCalledTimes(2);
  });

  it('does not exist when that attempt failed: another is created', async () => {
    const { calls, attempt } = worker(() =>
      Promise.reject(connectionError('linkTokens', true, 'ECONNRESET', 'https://atlas.test')),
    );
    await failureOf(attempt({ unconfirmedTokens: 0 }));
    expect(await attempt({ unconfirmedTokens: 1, activityNumber: 2 })).toMatchObject({
      unconfirmedTokens: 1,
    });
    expect(calls).toHaveBeenCalledTimes(2);
  });

  it('is kept for the last thousand runs', async () => {
    const { attempt } = worker();
    const [first, second] = [await attempt({}, 'run 0'), await attempt({}, 'run 1')];
    for (let run = 2; run <= 1000; run += 1) await attempt({}, `run ${run}`);
    const next = { unconfirmedTokens: 3, activityNumber: 2 };
    expect(await attempt(next, 'run 1')).toEqual(second);
    expect(await attempt(next, 'run 0')).not.toEqual(first);
  });
});
