import type { Client } from '@temporalio/client';
import type { AdminApi } from '../../../src/atlas/admin-api';
import { connectionError, responseError } from '../../../src/atlas/outcomes';
import { describeFindings } from '../../../src/commands/cli/describe-findings';
import { createOrganizations } from '../../../src/config/organizations';
import type { Services } from '../../../src/config/services';
import {
  failedCheck,
  ok,
  unchecked,
  warning,
  type CheckResult,
  type Scope,
} from '../../../src/doctor/check-result';
import { runAll } from '../../../src/doctor/run-all';
import { checkTaskQueue } from '../../../src/doctor/task-queue';
import { wholeWorker, workerChecks } from '../../../src/doctor/worker-checks';
import { SinkRejectedError, SinkUnavailableError, type Sink } from '../../../src/sinks/sink';
import { organizations, unmapped } from '../activities/attempt';
import { polledAgo } from '../commands/runs/context';
import { ORG, OTHER_ORG, SOURCE_ORG, aSink } from '../samples';

const WORKER = {
  visible: (() => Promise.resolve([ORG])) as AdminApi['visibleOrganizations'],
  role: (() => Promise.resolve()) as AdminApi['requireOwnerRole'],
  openCircuit: null as string | null,
  keyIds: ['first'],
  keyIdsOnlyInMemory: [] as string[],
  sink: aSink(),
  served: organizations,
  scope: null as Scope | null,
  onHost: false,
};

const SOURCES = new Map([
  [SOURCE_ORG, ORG],
  [OTHER_ORG, ORG],
]);

/** Runs the checks of a worker with one sink; returns findings by their check. */
async function runChecks(change: Partial<typeof WORKER>) {
  const { visible, role, openCircuit, keyIds, keyIdsOnlyInMemory, sink, served, scope, onHost } = {
    ...WORKER,
    ...change,
  };
  const services = {
    atlas: {
      visibleOrganizations: visible,
      requireOwnerRole: role,
      describeOpenCircuit: () => openCircuit,
    },
    sealer: { keyIds: () => keyIds, keyIdsOnlyInMemory: () => keyIdsOnlyInMemory },
    sinks: new Map([['drop', sink]]),
    organizations: served,
  };
  const worker = services as unknown as Services;
  const options = { onHost };
  const findings = await runAll(workerChecks(worker, scope ?? wholeWorker(worker), options));
  return Object.fromEntries(findings.map(({ check, ...finding }) => [check, finding]));
}

const including = (text: string) => expect.stringContaining(text);
const listing = (...ids: string[]) => ({ visible: () => Promise.resolve(ids) });

const CREDENTIAL = 'credential acme';
const ROLE = 'role of credential acme';
const ORGANIZATION = `organization ${ORG}`;
const DEFAULT_ROLE = 'role of credential default';
const MAY = 'may create link-tokens';

/** The scope of a request without a source. */
const SCOPE = { credentials: ['acme'], sinks: ['drop'], target: { orgId: ORG, sourceOrgId: null } };
const HOST = { onHost: true };
/** A worker that cannot connect to Atlas. */
const UNREACHABLE = {
  visible: () =>
    Promise.reject(connectionError('orgs', false, 'ECONNREFUSED', 'https://atlas.test')),
};

type Row = [what: string, check: string, worker: Partial<typeof WORKER>, finding: object];

it.each<Row>([
  ['a credential that Atlas accepts is ok', CREDENTIAL, {}, ok('accepted by Atlas')],
  [
    "on the worker's host without a map, the check of a credential names its organization",
    'credential default',
    { ...HOST, served: unmapped },
    ok(`accepted by Atlas; can see ${ORG}`),
  ],
  [
    'a credential without a connection to Atlas is an error that may pass',
    CREDENTIAL,
    UNREACHABLE,
    failedCheck(including('no connection to Atlas at https://atlas.test ('), { permanent: false }),
  ],
  [
    'a credential whose circuit is open is a warning',
    CREDENTIAL,
    { openCircuit: 'this worker sends no request', scope: SCOPE },
    warning('accepted by Atlas; but this worker sends no request'),
  ],
  [
    'the check of a role is ok, with the number of organizations',
    ROLE,
    {},
    ok(`${MAY} in 1 organization`),
  ],
  [
    "on the worker's host without a map, a role is checked in the visible organization",
    DEFAULT_ROLE,
    { ...HOST, served: unmapped },
    ok(`${MAY} in ${ORG}`),
  ],
  [
    'without any visible organization, the check of a role is a warning',
    DEFAULT_ROLE,
    { ...HOST, served: unmapped, ...listing() },
    warning(including('it can see no org')),
  ],
  [
    'without a connection to Atlas, the role stays unchecked',
    ROLE,
    UNREACHABLE,
    unchecked('the credential cannot be used'),
  ],
  [
    'the organization of a request is ok if the role suffices',
    ORGANIZATION,
    { scope: SCOPE },
    ok(`credential acme ${MAY}`),
  ],
  [
    'without a connection to Atlas, the organization stays unchecked',
    ORGANIZATION,
    { scope: SCOPE, ...UNREACHABLE },
    unchecked('the credential cannot be used'),
  ],
  [
    'the check of the sealing keys names the one that seals first',
    'sealing keys',
    { keyIds: ['first', 'second'] },
    ok('key first seals and opens tokens; kept only to open tokens: second'),
  ],
  [
    'a sealing key that a restart would lose is an error',
    'sealing keys',
    { keyIds: ['first', 'second'], keyIdsOnlyInMemory: ['second'] },
    failedCheck(
      'this worker has second only in memory: do not restart this worker; restore the file that' +
        ' sealing.keys names, unless you removed keys that no token needs',
    ),
  ],
])('%s', async (_what, check, worker, finding) => {
  expect((await runChecks(worker))[check]).toEqual(finding);
});

it.each<[what: string, sink: Partial<Sink>, scope: Scope | null, finding: object]>([
  [
    'a sink that is down is an error that may pass',
    { check: () => Promise.reject(new SinkUnavailableError('down')) },
    null,
    failedCheck('down', { permanent: false }),
  ],
  [
    'a sink that rejects the check is an error',
    { check: () => Promise.reject(new SinkRejectedError('no')) },
    null,
    failedCheck('no'),
  ],
  [
    'a sink that needs a source is ok without a request',
    { needsSourceOrgId: true },
    null,
    ok('it works'),
  ],
  [
    'a sink that needs a source is ok with one',
    { needsSourceOrgId: true },
    { ...SCOPE, target: { orgId: ORG, sourceOrgId: SOURCE_ORG } },
    ok('it works'),
  ],
  [
    'a sink that needs a source is unchecked if the request has none',
    { needsSourceOrgId: true },
    SCOPE,
    unchecked('this sink needs the source organization, and the request names none'),
  ],
  [
    "a sink without a request's pair is unchecked",
    { sources: new Map([[SOURCE_ORG, OTHER_ORG]]) },
    { ...SCOPE, target: { orgId: ORG, sourceOrgId: SOURCE_ORG } },
    unchecked('this sink does not take this source organization to this Atlas organization'),
  ],
  [
    'without a request, the API key of each source is checked',
    { sources: SOURCES },
    null,
    ok('accepts the API keys of 2 source organizations'),
  ],
])('%s', async (_what, sink, scope, finding) => {
  const findings = await runChecks({ sink: aSink(sink), scope });
  expect(findings['sink drop']).toEqual(finding);
});

it.each([
  [true, `401 for ${SOURCE_ORG}; 401 for ${OTHER_ORG}`],
  [false, '401 for an organization (and 1 more)'],
])(
  'refused API keys of sources are an error; on the host (%s), with their ids',
  async (onHost, message) => {
    const check: Sink['check'] = ({ sourceOrgId }) =>
      Promise.reject(new SinkRejectedError(`401 for ${sourceOrgId}`));
    const sink = aSink({ check, sources: SOURCES });
    const findings = await runChecks({ sink, onHost });
    expect(findings['sink drop']).toEqual(failedCheck(message));
  },
);

it("on the worker's host, credentials of organizations in the map share two lines", async () => {
  const names = Array.from({ length: 60 }, (_, index) => `c${index + 1}`);
  const idOf = (name: string) => `64f1c0ffee5eed00000${name.slice(1).padStart(5, '0')}`;
  const served = createOrganizations({
    organizations: new Map(names.map((name) => [idOf(name), { credential: name, sinks: [] }])),
    credentials: new Set(names),
    sinks: new Set(['drop']),
  });
  const visible = (name: string) => Promise.resolve([idOf(name)]);
  const findings = await runChecks({ ...HOST, served, visible });
  const lines = describeFindings(
    Object.entries(findings).map(([check, finding]) => ({ check, ...finding })),
  );
  expect(lines).toEqual([
    including('ok        sealing keys: '),
    expect.stringMatching(/^ok {8}credential c1, .*, and 50 more: accepted by Atlas$/),
    expect.stringMatching(/^ok {8}role of credential c1, .*, and 50 more: may .* in 1 org/),
    including('ok        sink drop: '),
  ]);
});

const CANNOT = `credential acme cannot create link-tokens in ${ORG}: Atlas returned`;
const NOT_KNOWN =
  `it is not known whether credential acme may create link-tokens in ${ORG}:` + ' Atlas returned';
const NOT_VISIBLE =
  `${ORG} is not visible to credential acme,` + ' and a credential belongs to one organization';

/** A worker that sees one organization, and whose check of the role gets this status from Atlas. */
function refusingRole(status: number, visible: string) {
  const json = { detail: `not in ${ORG}` };
  const error = responseError('availableProjects', 'acme', {
    status,
    json,
    retryAfterMs: undefined,
  });
  return { ...listing(visible), role: () => Promise.reject(error) };
}

it.each([
  [401, 'a visible', 'an error', ORG, `${CANNOT} 401 `],
  [403, 'a visible', 'an error', ORG, `${CANNOT} 403 `],
  [404, 'a visible', 'a warning', ORG, `${NOT_KNOWN} 404 `],
  [503, 'a visible', 'a warning', ORG, `${NOT_KNOWN} 503 `],
  [401, 'an invisible', 'an error', OTHER_ORG, NOT_VISIBLE],
  [404, 'an invisible', 'an error', OTHER_ORG, NOT_VISIBLE],
])('%d for the role in %s organization is %s', async (status, _what, finding, visible, text) => {
  const worker = refusingRole(status, visible);
  const expected = { state: finding.split(' ')[1], message: including(text) };
  // These findings may name the organization.
  expect((await runChecks({ ...worker, ...HOST }))[ROLE]).toMatchObject(expected);
  expect((await runChecks({ ...worker, scope: SCOPE }))[ORGANIZATION]).toMatchObject(expected);
});

it.each([
  [401, ORG, `${CANNOT} 401 `],
  [503, ORG, `${NOT_KNOWN} 503 `],
  [404, OTHER_ORG, NOT_VISIBLE],
])(
  'from elsewhere, %d for the role is a warning that names no organization',
  async (status, visible, text) => {
    const { [ROLE]: finding } = await runChecks(refusingRole(status, visible));
    expect(finding).toEqual(warning(including(text.replace(ORG, 'an organization'))));
    expect(finding?.message).not.toContain(ORG);
  },
);

it('only the keys are checked for a request without a credential and a sink', async () => {
  const findings = await runChecks({ scope: { ...SCOPE, credentials: [], sinks: [] } });
  expect(Object.keys(findings)).toEqual(['sealing keys']);
});

/** A worker that sees 25 organizations; `progress.most` is in how many it checked a role at once. */
function manyOrganizations() {
  const inProgress = new Set<string>();
  const progress = { most: 0 };
  const role = async (orgId: string) => {
    progress.most = Math.max(progress.most, inProgress.add(orgId).size);
    await new Promise(setImmediate);
    inProgress.delete(orgId);
  };
  const ids = Array.from({ length: 25 }, (_, index) => `org-${index}`);
  return { ids, progress, worker: { ...listing(...ids), role } };
}

it('without a map of organizations, a role is checked in ten of the visible ones', async () => {
  const { worker } = manyOrganizations();
  const { [DEFAULT_ROLE]: finding } = await runChecks({ ...worker, served: unmapped });
  expect(finding).toEqual(ok(`${MAY} in 10 organizations`));
});

it('a role is checked in all organizations of the map, in ten at a time', async () => {
  const { ids, progress, worker } = manyOrganizations();
  const served = { ...organizations, servedBy: () => ids };
  const { [ROLE]: finding } = await runChecks({ ...worker, served });
  expect(finding).toEqual(ok(`${MAY} in 25 organizations`));
  expect(progress.most).toBe(10);
});

it('a hanging check ends after 10 s as an error that may pass or its own finding', async () => {
  jest.useFakeTimers();
  const slow = jest.fn<Promise<never>, [AbortSignal]>(() => new Promise(() => undefined));
  const running = runAll([
    { name: 'slow', run: slow },
    { name: 'minor', run: slow, onTimeout: warning },
  ]);
  await jest.advanceTimersByTimeAsync(9999);
  expect(slow.mock.calls.map(([signal]) => signal.aborted)).toEqual([false, false]);
  await jest.advanceTimersByTimeAsync(1);
  const noResult = 'no result within 10 s: check that the worker can reach it';
  expect(await running).toEqual([
    { check: 'slow', ...failedCheck(noResult, { permanent: false }) },
    { check: 'minor', ...warning(noResult) },
  ]);
  expect(slow.mock.calls.map(([signal]) => signal.aborted)).toEqual([true, true]);
  jest.useRealTimers();
});

const GONE = expect.stringContaining('no worker polls task queue prep (the last poll was at 2');

it.each([
  ['that polled a minute ago counts as present', [80_000, 60_000], ok('a worker polls it')],
  ['that last polled 80 s ago counts as gone', [80_000], warning(GONE)],
])('a worker %s', async (_when, agesMs, result) => {
  expect(await checkQueue({ pollers: agesMs.flatMap(polledAgo) })).toEqual(result);
});

/** UNVERSIONED and VERSIONED in Temporal's API. */
const [UNVERSIONED, VERSIONED] = [1, 2];
const version = (buildId: string, deploymentName = 'prep') => ({ deploymentName, buildId });
const [V1, V2] = [version('1.0'), version('2.0')];
const NONE_CURRENT = { currentVersion: '__unversioned__' };
const V1_CURRENT = { currentDeploymentVersion: V1 };
const ramp = (percentage: number) => ({
  rampingDeploymentVersion: V2,
  rampingVersionPercentage: percentage,
});
const SET = 'temporal worker deployment set-current-version --namespace default --deployment-name';

it.each([
  ['of a version waits while none is current', [V1], NONE_CURRENT, 'prep --build-id 1.0'],
  ['of the current version gets tasks', [V1], V1_CURRENT, null],
  ['of another version waits', [V2], V1_CURRENT, 'prep --build-id 2.0'],
  ['of another deployment waits', [version('1.0', 'b')], V1_CURRENT, 'b --build-id 1.0'],
  ['of another version, beside one of the current, does not wait', [V2, V1], V1_CURRENT, null],
  [
    'of a version that gets a part waits',
    [V2],
    { ...V1_CURRENT, ...ramp(99) },
    'prep --build-id 2.0',
  ],
  ['of a version that gets everything gets tasks', [V2], { ...V1_CURRENT, ...ramp(100) }, null],
  ['of a replaced version waits', [V1], { ...V1_CURRENT, ...ramp(100) }, 'prep --build-id 1.0'],
  [
    'without a version, beside one of another version, waits',
    [null, V2],
    V1_CURRENT,
    'prep --build-id 2.0',
  ],
  ['without a version gets tasks while none is current', [null], NONE_CURRENT, null],
  ['without a version waits while one is current', [null], V1_CURRENT, 'prep --unversioned'],
  ['without a version gets tasks from a server without versions', [null], null, null],
])('a worker %s', async (_what, polling, versioningInfo, command) => {
  const pollers = polling.flatMap((polled) => {
    const mode = polled ? VERSIONED : UNVERSIONED;
    const deploymentOptions = { ...polled, workerVersioningMode: mode };
    return polledAgo(0).map((poller) => ({ ...poller, deploymentOptions }));
  });
  const waits = `, and none polls it; to give them to .*, which poll it: ${SET} ${command}$`;
  expect(await checkQueue({ pollers, versioningInfo })).toEqual(
    command === null ? ok('a worker polls it') : warning(expect.stringMatching(waits)),
  );
});

/** Checks task queue `prep` of a server that describes it so. */
function checkQueue(queue: object): Promise<CheckResult> {
  const describeTaskQueue = () => Promise.resolve(queue);
  const client = { workflowService: { describeTaskQueue }, options: { namespace: 'default' } };
  return checkTaskQueue(client as unknown as Client, 'prep');
}
