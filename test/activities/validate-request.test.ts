import type { ApplicationFailure } from '@temporalio/common';
import { createAccess } from '../../src/access';
import { validateRedeliveryActivity, validateRequestActivity } from '../../src/activities/validate-request';
import type { FailureDetails, PrepareRequest, RedeliverRequest } from '../../src/contract/names';

const ORG = '64f1c0ffee5eed0000000a71';
const OTHER_ORG = '64f1c0ffee5eed0000000b72';
const REQUEST: PrepareRequest = { orgId: ORG, accessListIps: ['203.0.113.7'], sink: 'drop' };

const retry = { initialIntervalMs: 1, backoffCoefficient: 2, maximumIntervalMs: 3 };
const PLANS = {
  create: { ...retry, giveUpAfterMs: 4, attemptTimeoutMs: 5 },
  deliver: { ...retry, giveUpAfterMs: 6, attemptTimeoutMs: 7 },
};

const mapped = createAccess(
  new Map([[ORG, { credential: 'acme', sinks: ['drop', 'vault'] }]]),
  ['default', 'acme'],
  ['drop', 'vault', 'secret'],
);
const unmapped = createAccess(null, ['default'], ['drop', 'vault']);

async function fieldsOf(work: Promise<unknown>): Promise<[field: string, description: string][]> {
  const failure = await work.then(
    () => {
      throw new Error('it was valid');
    },
    (error: unknown) => error as ApplicationFailure,
  );
  expect(failure).toMatchObject({ type: 'InvalidRequest', nonRetryable: true });
  const [details] = failure.details as [FailureDetails];
  expect(details.unconfirmedTokens).toBe(0);
  return (details.fields ?? []).map(({ field, description }) => [field, description]);
}

describe('validateRequest', () => {
  it.each([
    ['of the map', mapped, 'acme'],
    ['that serves all', unmapped, 'default'],
  ])('returns the request with the credential %s, and how to retry', async (_which, access, credential) => {
    await expect(validateRequestActivity(access, new Map(), PLANS)(REQUEST)).resolves.toEqual({
      request: {
        ...REQUEST,
        sourceOrgId: null,
        requestedBy: null,
        changeReference: null,
        warnings: [],
        credential,
      },
      ...PLANS,
    });
  });

  it.each([
    ['unknown', 'nope'],
    ['known, and not for this organization', 'secret'],
    ['named like a property of every object', 'constructor'],
  ])('refuses a sink that is %s, and names those it may be', async (_what, sink) => {
    expect(await fieldsOf(validateRequestActivity(mapped, new Map(), PLANS)({ ...REQUEST, sink }))).toEqual([
      ['sink', `"${sink}" is not a sink of this organization: write one of drop, vault`],
    ]);
  });

  it('refuses an organization that has no credential, and says where to name one', async () => {
    expect(
      await fieldsOf(validateRequestActivity(mapped, new Map(), PLANS)({ ...REQUEST, orgId: OTHER_ORG })),
    ).toEqual([
      ['orgId', expect.stringMatching(/no credential in the worker's configuration.*atlas\.organizations/)],
    ]);
  });

  it('names problems of the request and of the configuration in one answer', async () => {
    const request = { ...REQUEST, sink: 'nope', accessListIps: ['10.1.2.3/24', 'x'], extra: 1 };
    const fields = await fieldsOf(validateRequestActivity(mapped, new Map(), PLANS)(request));
    expect(fields.map(([field]) => field)).toEqual(['extra', 'accessListIps[0]', 'accessListIps[1]', 'sink']);
  });

  it.each([null, undefined, 'text', 5, []])('refuses %j', async (input) => {
    const validate = validateRequestActivity(mapped, new Map(), PLANS) as (
      request: unknown,
    ) => Promise<unknown>;
    expect(await fieldsOf(validate(input))).toEqual([['request', expect.any(String)]]);
  });
});

describe('validateRedelivery', () => {
  const sealedToken: RedeliverRequest['sealedToken'] = {
    version: 1,
    jwe: 'a.b.c.d.e',
    deliveryId: '0189f7e0-0000-4000-8000-000000000000',
    tokenSha256: 'a'.repeat(64),
    createdAt: '2026-01-02T03:04:05.000Z',
    unconfirmedTokens: 0,
    orgId: ORG,
    sourceOrgId: null,
    accessListIps: [],
    credential: 'acme',
    warnings: [],
    requestedBy: null,
    changeReference: null,
  };
  const validate = validateRedeliveryActivity(mapped, PLANS) as (request: unknown) => Promise<unknown>;

  it('returns how to retry', async () => {
    await expect(validate({ sealedToken, sink: 'vault' })).resolves.toEqual({ deliver: PLANS.deliver });
  });

  it.each([
    ['a sink not for this organization', { sealedToken, sink: 'secret' }, 'sink'],
    ['no sealed token', { sink: 'drop' }, 'sealedToken'],
    [
      'a token of another version',
      { sealedToken: { ...sealedToken, version: 2 }, sink: 'drop' },
      'sealedToken.version',
    ],
    [
      'a delivery id that is none',
      { sealedToken: { ...sealedToken, deliveryId: '../x' }, sink: 'drop' },
      'sealedToken.deliveryId',
    ],
  ])('refuses %s', async (_what, input, field) => {
    expect(await fieldsOf(validate(input))).toEqual([[field, expect.any(String)]]);
  });
});

it('wants sourceOrgId where the sink hands the token to that organization', async () => {
  const sinks = new Map([['drop', { needsSourceOrgId: true, deliver: () => Promise.resolve('') }]]);
  expect(await fieldsOf(validateRequestActivity(unmapped, sinks, PLANS)(REQUEST))).toEqual([
    ['sourceOrgId', 'is missing, and sink drop hands the token to that organization: name it'],
  ]);
});
