import type { Info } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { createLinkTokenActivity } from '../../../src/activities/create-link-token';
import { createReceivedTokens } from '../../../src/activities/received-tokens';
import type { AdminApi } from '../../../src/atlas/admin-api';
import { connectionError } from '../../../src/atlas/outcomes';
import type { CreateInput } from '../../../src/contract/activity-inputs';
import type { SealedToken, ValidRequest } from '../../../src/contract/schemas';
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
const HOUR_MS = 3_600_000;

type Create = AdminApi['createLinkToken'];
const created: Create = () => Promise.resolve('CANARY-token');
const disconnected = (written: boolean) => () =>
  Promise.reject(connectionError('linkTokens', written, 'ECONNRESET', 'https://atlas.test'));

const inputOf = (change: object = {}, more: Partial<CreateInput> = {}) => ({
  request: { ...REQUEST, ...change },
  unconfirmedTokens: 2,
  activityNumber: 1,
  deadlineAtMs: Date.now() + HOUR_MS,
  ...more,
});

/** A worker's activity; the Admin API responds so, one call after the other, and then with a token. */
function worker({ responses = [] as Create[], seal = sealer, plan = PLAN } = {}) {
  const calls = jest.fn<Promise<string>, Parameters<Create>>((...args) =>
    (responses.shift() ?? created)(...args),
  );
  const atlas = { createLinkToken: calls } as unknown as AdminApi;
  const activity = createLinkTokenActivity(atlas, seal, organizations, { ...plan, giveUpAfterMs: HOUR_MS });
  const attempt = (input: unknown, info: Partial<Info> = {}, env = attemptIn(info)) =>
    env.run<[unknown], SealedToken, (input: unknown) => Promise<SealedToken>>(
      activity as (input: unknown) => Promise<SealedToken>,
      input,
    );
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

  const long = 'x'.repeat(1_000_000);
  it.each<[field: string, change: object]>([
    ['request.orgId', { orgId: `${ORG}/apiKeys?x=` }],
    ['request.sourceOrgId', { sourceOrgId: '/../../evil/PWNED' }],
    ['accessListIps[0]', { accessListIps: ['0.0.0.0/0'] }],
    ['request.accessListIps[0]', { accessListIps: [5] }],
    ['request.requestedBy', { requestedBy: long }],
    ['request.warnings[0]', { warnings: [long] }],
    ['request.warnings', { warnings: Array<string>(101).fill('x') }],
    ['request.url', { url: 'https://example.com' }],
  ])('a bad %s (%#)', async (field, change) => {
    expect(await refusedFields(attemptWithoutCall(inputOf(change)))).toEqual([field]);
  });

  it.each([undefined, {}])('%j for an input', async (input) => {
    expect(await refusedFields(attemptWithoutCall(input))).not.toEqual([]);
  });

  it('an organization that the configuration does not serve', async () => {
    const workflowId = `live-migration-prep/${UNMAPPED_ORG}/${SOURCE_ORG}`;
    const own = { workflowExecution: { workflowId, runId: 'run' } };
    expect(await failureOf(attemptWithoutCall(inputOf({ orgId: UNMAPPED_ORG }), own))).toMatchObject({
      type: 'AtlasUnavailable',
      nonRetryable: false,
      message: expect.stringContaining('no credential for this organization'),
    });
  });
});

it.each([
  [1, 1, 500, 1000],
  [1, 2, 1000, 2000],
  [2, 1, 1000, 2000],
  [9, 1, 30_000, 60_000],
])(
  'on try %i, attempt %i, the next attempt follows after %d to %d ms',
  async (activityNumber, attempt, least, most) => {
    const plan = { ...PLAN, initialIntervalMs: 1000, maximumIntervalMs: 60_000 };
    const { attempt: run } = worker({ plan, responses: [disconnected(false)] });
    const nextRetryDelay = Number(
      (await failureOf(run(inputOf({}, { activityNumber }), { attempt }))).nextRetryDelay,
    );
    expect(nextRetryDelay).toBeGreaterThanOrEqual(least);
    expect(nextRetryDelay).toBeLessThanOrEqual(most);
  },
);

describe('an attempt sends nothing', () => {
  it('after the deadline', async () => {
    const late = attemptWithoutCall(inputOf({}, { deadlineAtMs: Date.now() - 1 }));
    expect(await failureOf(late)).toMatchObject({
      type: 'AtlasUnavailable',
      nonRetryable: true,
      message: expect.stringMatching(/^gave up: the retry deadline passed/),
    });
  });

  /** The failure of an attempt that is stopped before its request is written. */
  function stopped(...how: Parameters<ReturnType<typeof attemptIn>['cancel']>) {
    const env = attemptIn();
    const create: Create = (_org, _list, _credential, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
        env.cancel(...how);
      });
    return failureOf(worker({ responses: [create] }).attempt(inputOf(), {}, env));
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
    const { attempt } = worker({ responses: [disconnected(true)] });
    const unconfirmed = { type: 'TokenUnconfirmed', nonRetryable: true };
    expect(await failureOf(attempt(inputOf()))).toMatchObject(unconfirmed);
  });

  it('a token that cannot be sealed is lost, and its text is nowhere', async () => {
    const seal = { ...sealer, seal: (token: string) => Promise.reject(new Error(token)) };
    const failure = await failureOf(worker({ seal }).attempt(inputOf()));
    expect(failure).toMatchObject({ type: 'TokenLost', nonRetryable: true });
    const { message, stack, cause } = failure;
    expect([message, stack, String(cause), JSON.stringify(failure)].join()).not.toContain('CANARY');
  });
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

  it('does not exist when that attempt failed: another is created', async () => {
    const { calls, attempt } = worker({ responses: [disconnected(true)] });
    await failureOf(attempt(inputOf()));
    expect(await attempt(inputOf({}, { unconfirmedTokens: 3 }))).toMatchObject({ unconfirmedTokens: 3 });
    expect(calls).toHaveBeenCalledTimes(2);
  });

  it('is kept for the last thousand runs', async () => {
    const received = createReceivedTokens();
    const tokenOf = (run: number) => ({ deliveryId: `${run}` }) as SealedToken;
    for (let run = 0; run <= 1000; run += 1)
      await received.keep(`run ${run}`, 0, Promise.resolve(tokenOf(run)));
    expect(await received.find('run 1', 1)).toEqual(tokenOf(1));
    expect(await received.find('run 0', 1)).toBeNull();
  });
});
