import type { Info } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { createLinkTokenActivity } from '../../../src/activities/create-link-token';
import { createReceivedTokens } from '../../../src/activities/received-tokens';
import type { AdminApi } from '../../../src/atlas/admin-api';
import { connectionError } from '../../../src/atlas/outcomes';
import type { CreateInput } from '../../../src/contract/activity-inputs';
import { workflowIdFor } from '../../../src/contract/names';
import type { SealedToken, ValidRequest } from '../../../src/contract/schemas';
import { rejectionOf } from '../rejection';
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
  type Untyped,
} from './attempt';

const REQUEST: ValidRequest = {
  ...{ orgId: ORG, sourceOrgId: SOURCE_ORG, accessListIps: ['192.31.196.7'], sink: 'drop' },
  ...{ credential: 'acme', warnings: [], requestedBy: null, changeReference: null },
};
const HOUR_MS = 3_600_000;

type Create = AdminApi['createLinkToken'];
const created: Create = () => Promise.resolve('CANARY-token');
const refused: Create = () =>
  Promise.reject(connectionError('linkTokens', false, 'ECONNREFUSED', 'https://atlas.test'));

const inputOf = (change: object = {}, more: Partial<CreateInput> = {}) => ({
  ...{ unconfirmedTokens: 2, activityNumber: 1, deadlineAtMs: Date.now() + HOUR_MS, ...more },
  request: { ...REQUEST, ...change },
});

/** A worker's activity; the Admin API responds so, one call after the other, and then with a token. */
function worker({ responses = [] as Create[], seal = sealer, plan = PLAN } = {}) {
  const calls = jest.fn<Promise<string>, Parameters<Create>>((...args) =>
    (responses.shift() ?? created)(...args),
  );
  const atlas = { createLinkToken: calls } as unknown as AdminApi;
  const activity = createLinkTokenActivity(atlas, seal, organizations, { ...plan, giveUpAfterMs: HOUR_MS });
  const attempt = (input: unknown, info: Partial<Info> = {}, env = attemptIn(info)) =>
    env.run<unknown[], unknown, Untyped>(activity as Untyped, input) as Promise<SealedToken>;
  return { calls, attempt };
}

/** One attempt, for which Atlas must not be called. */
async function attemptWithoutCall(input: unknown, info?: Partial<Info>): Promise<void> {
  const { calls, attempt } = worker();
  await attempt(input, info).finally(() => expect(calls).not.toHaveBeenCalled());
}

test('a created token comes back sealed for its run, with the count, the warnings and the credential that created it', async () => {
  const warnings = ['accessListIps[1] "192.31.196.7" is a duplicate: it is sent once'];
  const { calls, attempt } = worker();
  const sealed = await attempt(inputOf({ credential: 'renamed meanwhile', warnings }));
  expect(calls.mock.calls).toEqual([[ORG, ['192.31.196.7'], 'acme', expect.any(AbortSignal)]]);
  expect(JSON.stringify(sealed)).not.toContain('CANARY');
  await expect(sealer.open(sealed.jwe, OWN_ID)).resolves.toMatchObject({
    ...{ linkToken: 'CANARY-token', credential: 'acme', unconfirmedTokens: 2 },
    ...{ orgId: ORG, sourceOrgId: SOURCE_ORG, warnings },
  });
});

describe('nothing that comes from the namespace is trusted: no call of Atlas', () => {
  it.each(FOREIGN_CALLERS)('%s', async (_what, info) => {
    expect(await refusedFields(attemptWithoutCall(inputOf(), info))).toEqual(['workflowId']);
  });

  it.each<[field: string, change: object]>([
    ['request.orgId', { orgId: `${ORG}/apiKeys?x=` }],
    ['accessListIps[0]', { accessListIps: ['0.0.0.0/0'] }],
    ['request.requestedBy', { requestedBy: 'x'.repeat(1_000_000) }],
    ['request.warnings[0]', { warnings: ['x'.repeat(1_000_000)] }],
    ['request.warnings', { warnings: Array<string>(101).fill('x') }],
  ])('a bad %s', async (field, change) => {
    expect(await refusedFields(attemptWithoutCall(inputOf(change)))).toEqual([field]);
  });

  it('an organization that the configuration does not serve', async () => {
    const own = { workflowExecution: { workflowId: workflowIdFor(UNMAPPED_ORG, SOURCE_ORG), runId: 'run' } };
    expect(await failureOf(attemptWithoutCall(inputOf({ orgId: UNMAPPED_ORG }), own))).toMatchObject({
      type: 'AtlasUnavailable',
      nonRetryable: false,
      message: expect.stringContaining('no credential for this organization'),
    });
  });
});

test('the second attempt of the second activity fails with the delay of a third attempt', async () => {
  const plan = { ...PLAN, initialIntervalMs: 1000, maximumIntervalMs: 60_000 };
  const { attempt } = worker({ plan, responses: [refused] });
  const failure = await failureOf(attempt(inputOf({}, { activityNumber: 2 }), { attempt: 2 }));
  expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(2000);
  expect(failure.nextRetryDelay).toBeLessThanOrEqual(4000);
});

describe('an attempt sends nothing', () => {
  it('after the deadline', async () => {
    const failure = await failureOf(attemptWithoutCall(inputOf({}, { deadlineAtMs: Date.now() - 1 })));
    expect(failure).toMatchObject({ type: 'AtlasUnavailable', nonRetryable: true });
    expect(failure.message).toMatch(/^gave up: the retry deadline passed/);
  });

  /** The failure of an attempt that is stopped before its request is written. */
  function stopped(details: object) {
    const env = attemptIn();
    const create: Create = (_org, _list, _credential, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
        env.cancel('CANCELLED', details as never);
      });
    return failureOf(worker({ responses: [create] }).attempt(inputOf(), {}, env));
  }

  it('when, before it is written, the run is cancelled: the activity ends cancelled', async () => {
    expect(await stopped({ cancelRequested: true })).toBeInstanceOf(CancelledFailure);
  });

  it('when, before it is written, the worker stops: Temporal retries elsewhere', async () => {
    const failure = await stopped({ workerShutdown: true });
    expect(failure).toMatchObject({ type: 'AtlasUnavailable', nonRetryable: false });
  });
});

test('a token that cannot be sealed is lost, and its text is nowhere', async () => {
  const seal = { ...sealer, seal: (token: string) => Promise.reject(new Error(token)) };
  const failure = await failureOf(worker({ seal }).attempt(inputOf()));
  expect(failure).toMatchObject({ type: 'TokenLost', nonRetryable: true });
  const { message, stack, cause } = failure;
  expect([message, stack, String(cause), JSON.stringify(failure)].join()).not.toContain('CANARY');
});

describe('the token of an attempt that the run counts as lost', () => {
  const inRun = (runId: string) => ({ workflowExecution: { workflowId: OWN_ID, runId } });

  it('comes back from each next one that is lost too, with the count before, even after the deadline', async () => {
    const { calls, attempt } = worker();
    const token = await attempt(inputOf());
    const deadlineAtMs = Date.now() - 1;
    for (const unconfirmedTokens of [3, 3, 4, 5])
      expect(await attempt(inputOf({}, { unconfirmedTokens, deadlineAtMs }))).toEqual(token);
    expect(calls).toHaveBeenCalledTimes(1);
  });

  it('is waited for while its request is under way', async () => {
    let respond: (token: string) => void = () => undefined;
    const response = new Promise<string>((resolve) => (respond = resolve));
    const { calls, attempt } = worker({ responses: [() => response] });
    const lost = attempt(inputOf());
    while (calls.mock.calls.length === 0) await new Promise(setImmediate);
    const next = attempt(inputOf({}, { unconfirmedTokens: 3, activityNumber: 2 }));
    respond('CANARY-token');
    expect(await next).toEqual(await lost);
    expect(calls).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['another run', 3, 'another run'],
    ['a run that counts nothing more', 2, 'run'],
    ['a run that counts an attempt elsewhere, too', 4, 'run'],
  ])('is not that of %s, for which another is created', async (_what, unconfirmedTokens, runId) => {
    const { calls, attempt } = worker();
    const { deliveryId } = await attempt(inputOf());
    const next = await attempt(inputOf({}, { unconfirmedTokens, activityNumber: 2 }), inRun(runId));
    expect(next.deliveryId).not.toBe(deliveryId);
    expect(calls).toHaveBeenCalledTimes(2);
  });

  it('is kept for the last thousand runs that received one', async () => {
    const received = createReceivedTokens();
    const tokenOf = (run: number) => ({ deliveryId: `${run}` }) as SealedToken;
    for (let run = 0; run <= 1000; run += 1)
      await received.keep(`run ${run}`, 0, Promise.resolve(tokenOf(run)));
    await rejectionOf(received.keep('failed', 0, Promise.reject(new Error('refused'))));
    expect(await received.find('run 1', 1)).toEqual(tokenOf(1));
    expect(await received.find('run 0', 1)).toBeNull();
  });
});
