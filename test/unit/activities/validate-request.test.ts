import { validateRequestActivity } from '../../../src/activities/validate-request';
import { workflowIdFor } from '../../../src/contract/names';
import type { PrepareRequest, SealedToken } from '../../../src/contract/schemas';
import type { RunOptions } from '../../../src/shared/activities';
import type { Sink } from '../../../src/sinks/sink';
import {
  ORG,
  PLAN,
  SOURCE_ORG,
  UNMAPPED_ORG,
  organizations,
  problemsOf,
  refusedFields,
  unmapped,
  type Untyped,
} from './attempt';

const REQUEST: PrepareRequest = { orgId: ORG, accessListIps: ['192.31.196.7'], sink: 'drop' };
const LEFT_OUT = { sourceOrgId: null, requestedBy: null, changeReference: null, warnings: [] };
const PLANS = {
  create: { ...PLAN, giveUpAfterMs: 6 },
  deliver: { ...PLAN, roundMs: 7, firstPauseMs: 8, maximumPauseMs: 9 },
};
const deliver = () => Promise.resolve('');
const SINKS = new Map<string, Sink>([
  ['drop', { deliver }],
  ['source', { needsSourceOrgId: true, deliver }],
]);

type Call = { recovery: unknown; run: Partial<RunOptions>; served: typeof organizations };

/** Validates anything that a caller may send, in the run of `ORG`. */
function validate(request: unknown, { recovery = null, run, served = organizations }: Partial<Call> = {}) {
  const activity = validateRequestActivity(served, SINKS, PLANS) as Untyped;
  return activity(request, recovery, { workflowId: workflowIdFor(ORG), refusedOptions: [], ...run });
}

it.each([
  ['of the map', organizations, 'acme'],
  ['that serves every organization', unmapped, 'default'],
])(
  'a valid request is returned with the credential %s, and how to retry',
  async (_which, served, credential) => {
    const request = { ...REQUEST, ...LEFT_OUT, credential };
    await expect(validate(REQUEST, { served })).resolves.toEqual({ request, ...PLANS });
  },
);

const UNSERVED = workflowIdFor(UNMAPPED_ORG);
const OWN_ID = `must be live-migration-prep/${ORG}: one run of prepareLiveMigration for each pair of organizations`;

type Problem = [
  what: string,
  change: object,
  run: Partial<RunOptions>,
  ...problems: [field: string, description: unknown][],
];

it.each<Problem>([
  // Unknown, known but not for this organization, and named like a property of every object.
  ...['nope', 'secret', 'constructor'].map((sink): Problem => {
    const remedy = `"${sink}" is not a sink of this organization: write one of drop, down, source`;
    return [`sink ${sink}`, { sink }, {}, ['sink', remedy]];
  }),
  [
    'an organization without a credential',
    { orgId: UNMAPPED_ORG },
    { workflowId: UNSERVED },
    ['orgId', expect.stringMatching(/no credential in the worker's configuration.*atlas\.organizations/)],
  ],
  [
    'no sourceOrgId where the sink needs it',
    { sink: 'source' },
    {},
    ['sourceOrgId', 'is missing, and sink source needs the source organization: name it'],
  ],
  ...[UNSERVED, workflowIdFor(ORG, SOURCE_ORG), `${workflowIdFor(ORG)}-2026-11-25T06:00:00Z`].map(
    (workflowId): Problem => [`run ${workflowId}`, {}, { workflowId }, ['workflowId', OWN_ID]],
  ),
  [
    'timeouts, a retry policy or cron of its own',
    {},
    { refusedOptions: ['workflowRunTimeout', 'retryPolicy'] },
    ['workflowRunTimeout', expect.stringContaining('start it without')],
    ['retryPolicy', expect.stringContaining('start it without')],
  ],
])('a request is refused: %s', async (_what, change, run, ...problems) => {
  expect(await problemsOf(validate({ ...REQUEST, ...change }, { run }))).toEqual(problems);
});

const nowhere = { ...REQUEST, sink: 'nope' };

it.each<[what: string, request: unknown, fields: string[]]>([
  ['a request', { ...nowhere, accessListIps: ['x'], extra: 1 }, ['extra', 'accessListIps[0]', 'sink']],
  ['an organization and a sink that do not exist', { ...nowhere, orgId: 'x' }, ['orgId', 'sink']],
  ['a sink that is no text, once', { ...REQUEST, sink: 5 }, ['sink']],
  ['what is no object', null, ['request']],
])('one failure names every problem of %s, and those of the run', async (_what, request, fields) => {
  const refused = await refusedFields(validate(request, { run: { refusedOptions: ['cronSchedule'] } }));
  expect(refused).toEqual([...fields, 'cronSchedule']);
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

  it.each<[field: string, recovery: unknown]>([
    ['recovery.sinksTried', { sealedToken }],
    ['recovery.sealedToken.deliveryId', sealedWith({ deliveryId: '../x' })],
    ['recovery.sealedToken.jwe', sealedWith({ jwe: 'x'.repeat(2 * 1024 * 1024 + 1) })],
  ])('is refused for its field %s', async (field, recovery) => {
    expect(await refusedFields(validate(REQUEST, { recovery }))).toEqual([field]);
  });

  it('goes to a permitted sink, in the run of its organizations', async () => {
    const recovered = { recovery: sealedWith({}), run: { workflowId: 'mine' } };
    const fields = await refusedFields(validate({ ...REQUEST, sink: 'secret' }, recovered));
    expect(fields).toEqual(['sink', 'workflowId']);
  });
});
