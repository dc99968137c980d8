import { validateRequestActivity } from '../../../src/activities/validate-request';
import { createOrganizations } from '../../../src/config/organizations';
import { workflowIdFor } from '../../../src/contract/names';
import type { FailureDetails, PrepareRequest, SealedToken } from '../../../src/contract/schemas';
import type { RunOptions } from '../../../src/shared/activities';
import type { Sink } from '../../../src/sinks/sink';
import { ORG, PLAN, SOURCE_ORG, UNMAPPED_ORG, failureOf, refusedFields } from './attempt';

const REQUEST: PrepareRequest = { orgId: ORG, accessListIps: ['192.31.196.7'], sink: 'drop' };
const LEFT_OUT = { sourceOrgId: null, requestedBy: null, changeReference: null, warnings: [] };

const PLANS = {
  create: { ...PLAN, giveUpAfterMs: 6 },
  deliver: { ...PLAN, roundMs: 7, firstPauseMs: 8, maximumPauseMs: 9 },
};

const names = (...keys: string[]) => new Map(keys.map((key) => [key, null]));
const mapped = createOrganizations({
  organizations: new Map([[ORG, { credential: 'acme', sinks: ['drop', 'vault'] }]]),
  credentials: names('default', 'acme'),
  sinks: names('drop', 'vault', 'secret'),
});
const unmapped = createOrganizations({
  organizations: null,
  credentials: names('default'),
  sinks: names('drop', 'vault'),
});

interface Call {
  organizations?: typeof mapped;
  sinks?: ReadonlyMap<string, Sink>;
  recovery?: unknown;
  run?: Partial<RunOptions>;
}

/** Validates anything that a caller may send, in the run of `ORG`. */
function validate(request: unknown, { organizations = mapped, sinks = new Map(), recovery, run }: Call = {}) {
  const activity = validateRequestActivity(organizations, sinks, PLANS) as (
    ...args: unknown[]
  ) => Promise<unknown>;
  return activity(request, recovery ?? null, { workflowId: workflowIdFor(ORG), refusedOptions: [], ...run });
}

async function problemsOf(work: Promise<unknown>): Promise<[field: string, description: string][]> {
  const [{ fields = [] }] = (await failureOf(work)).details as [FailureDetails];
  return fields.map(({ field, description }) => [field, description]);
}

it.each([
  ['of the map', mapped, 'acme'],
  ['that serves every organization', unmapped, 'default'],
])(
  'a valid request is returned with the credential %s, and how to retry',
  async (_which, organizations, credential) => {
    const request = { ...REQUEST, ...LEFT_OUT, credential };
    await expect(validate(REQUEST, { organizations })).resolves.toEqual({ request, ...PLANS });
  },
);

describe('a request is refused', () => {
  it.each([
    ['unknown', 'nope'],
    ['known, and not for this organization', 'secret'],
    ['named like a property of every object', 'constructor'],
  ])('with a sink that is %s; the problem names those it may be', async (_what, sink) => {
    expect(await problemsOf(validate({ ...REQUEST, sink }))).toEqual([
      ['sink', `"${sink}" is not a sink of this organization: write one of drop, vault`],
    ]);
  });

  it('for an organization without a credential; the problem says where to name one', async () => {
    const run = { workflowId: workflowIdFor(UNMAPPED_ORG) };
    expect(await problemsOf(validate({ ...REQUEST, orgId: UNMAPPED_ORG }, { run }))).toEqual([
      ['orgId', expect.stringMatching(/no credential in the worker's configuration.*atlas\.organizations/)],
    ]);
  });

  it('without sourceOrgId where the sink needs it', async () => {
    const sinks = new Map([['drop', { needsSourceOrgId: true, deliver: () => Promise.resolve('') }]]);
    expect(await problemsOf(validate(REQUEST, { sinks }))).toEqual([
      ['sourceOrgId', 'is missing, and sink drop needs the source organization: name it'],
    ]);
    const run = { workflowId: workflowIdFor(ORG, SOURCE_ORG) };
    await expect(validate({ ...REQUEST, sourceOrgId: SOURCE_ORG }, { sinks, run })).resolves.toBeDefined();
  });

  it.each([
    ['that of another organization', workflowIdFor(UNMAPPED_ORG)],
    ['that of a pair', workflowIdFor(ORG, SOURCE_ORG)],
    ['longer', `${workflowIdFor(ORG)}-2026-11-25T06:00:00Z`],
    ['freely chosen', 'mine'],
  ])('in a run whose id is %s', async (_what, workflowId) => {
    const problem = `must be live-migration-prep/${ORG}: one run of prepareLiveMigration for each pair of organizations`;
    expect(await problemsOf(validate(REQUEST, { run: { workflowId } }))).toEqual([['workflowId', problem]]);
  });

  it('in a run with timeouts, a retry policy or cron of its own', async () => {
    const run = { refusedOptions: ['workflowRunTimeout', 'retryPolicy'] };
    expect(await problemsOf(validate(REQUEST, { run }))).toEqual([
      ['workflowRunTimeout', expect.stringContaining('start it without')],
      ['retryPolicy', expect.stringContaining('start it without')],
    ]);
  });

  it('with every problem of the request, the configuration and the run in one failure', async () => {
    const request = { ...REQUEST, sink: 'nope', accessListIps: ['10.1.2.3/24', 'x'], extra: 1 };
    const fields = await refusedFields(validate(request, { run: { refusedOptions: ['cronSchedule'] } }));
    expect(fields).toEqual(['extra', 'accessListIps[0]', 'accessListIps[1]', 'sink', 'cronSchedule']);
  });

  it.each([undefined, null, 5, {}])('with a sink that is %j, once', async (sink) => {
    expect(await refusedFields(validate({ ...REQUEST, sink }))).toEqual(['sink']);
  });

  it.each([null, undefined, 'text', 5, []])('when it is %j', async (input) => {
    expect(await refusedFields(validate(input))).toEqual(['request']);
  });
});

describe('a recovery', () => {
  const sealedToken: SealedToken = {
    jwe: 'a.b.c.d.e',
    deliveryId: '0189f7e0-0000-4000-8000-000000000000',
    tokenSha256: 'a'.repeat(64),
    createdAt: '2026-01-02T03:04:05.000Z',
    unconfirmedTokens: 0,
    ...{ orgId: ORG, accessListIps: ['192.31.196.7'], credential: 'acme', ...LEFT_OUT },
  };
  const sealedWith = (change: object) => ({ sealedToken: { ...sealedToken, ...change }, sinksTried: [] });

  it('needs no valid access list, since it creates nothing, and shows that of the token', async () => {
    const request = { ...REQUEST, accessListIps: ['no longer allowed'] };
    const recovery = { sealedToken, sinksTried: ['vault'] };
    const recovered = { request: { accessListIps: ['192.31.196.7'] } };
    await expect(validate(request, { recovery })).resolves.toMatchObject(recovered);
  });

  it.each<[what: string, recovery: unknown, field: string]>([
    ['that is no object', 'text', 'recovery'],
    ['without a sealed token', { sinksTried: [] }, 'recovery.sealedToken'],
    ['without the sinks tried', { sealedToken }, 'recovery.sinksTried'],
    ['with a malformed delivery id', sealedWith({ deliveryId: '../x' }), 'recovery.sealedToken.deliveryId'],
    [
      'of over two megabytes',
      sealedWith({ jwe: 'x'.repeat(2 * 1024 * 1024 + 1) }),
      'recovery.sealedToken.jwe',
    ],
  ])('is refused: one %s', async (_what, recovery, field) => {
    expect(await refusedFields(validate(REQUEST, { recovery }))).toEqual([field]);
  });

  it('goes to a permitted sink, in the run of its organizations', async () => {
    const recovered = { recovery: sealedWith({}), run: { workflowId: 'mine' } };
    const fields = await refusedFields(validate({ ...REQUEST, sink: 'secret' }, recovered));
    expect(fields).toEqual(['sink', 'workflowId']);
  });
});
