import type { AdminApi } from '../../../src/atlas/admin-api';
import { connectionError, responseError } from '../../../src/atlas/outcomes';
import type { Services } from '../../../src/config/services';
import { failedCheck, ok, unchecked, warning } from '../../../src/doctor/check-result';
import { runAll, workerChecks, type RequestScope } from '../../../src/doctor/worker-checks';
import { SinkRejectedError, SinkUnavailableError, type Sink } from '../../../src/sinks/sink';
import { ORG, SOURCE_ORG, UNMAPPED_ORG, organizations, unmapped } from '../activities/attempt';

const WORKER = {
  visible: () => Promise.resolve([ORG]),
  role: (() => Promise.resolve()) as AdminApi['requireOwnerRole'],
  openCircuit: null as string | null,
  keyIds: ['first'],
  sink: {} as Partial<Sink>,
  served: organizations,
  scope: null as RequestScope | null,
  onHost: false,
};

/** Runs the checks of a worker with one sink; returns findings by their check. */
async function runChecks(change: Partial<typeof WORKER>) {
  const { visible, role, openCircuit, keyIds, sink, served, scope, onHost } = { ...WORKER, ...change };
  const services = {
    atlas: {
      visibleOrganizations: visible,
      requireOwnerRole: role,
      describeOpenCircuit: () => openCircuit,
    },
    sealer: { keyIds: () => keyIds },
    sinks: new Map([['drop', sink]]),
    organizations: served,
  };
  const options = { token: 'new', onHost } as const;
  const findings = await runAll(workerChecks(services as unknown as Services, scope, options));
  return Object.fromEntries(findings.map(({ check, ...finding }) => [check, finding]));
}

const including = (text: string) => expect.stringContaining(text);
const listing = (...ids: string[]) => ({ visible: () => Promise.resolve(ids) });
const sinkThat = (check: () => Promise<string>, more: Partial<Sink> = {}) => ({ sink: { check, ...more } });

const SCOPE = { orgId: ORG, sourceOrgId: null, credential: 'acme', sink: 'drop' };
const REQUEST = { scope: SCOPE };
const absent = connectionError('orgs', false, 'ECONNREFUSED', 'https://atlas.test');
const ABSENT = { visible: () => Promise.reject(absent) };
const HOST = { onHost: true };
const OPEN = { openCircuit: 'this worker sends no request' };
const NEEDS_SOURCE = sinkThat(() => Promise.resolve('it works'), { needsSourceOrgId: true });

const SINK_DOWN = sinkThat(() => Promise.reject(new SinkUnavailableError('down')));
const SINK_REJECTS = sinkThat(() => Promise.reject(new SinkRejectedError('no')));

it.each<[what: string, checked: string, worker: Partial<typeof WORKER>, finding: object]>([
  ['accepts a credential', 'credential acme', {}, ok('accepted by Atlas')],
  ['lists its organizations on the host', 'credential acme', HOST, ok(`accepted by Atlas; can see ${ORG}`)],
  [
    'fails, and may work later, without a connection to Atlas',
    'credential acme',
    ABSENT,
    failedCheck(including('no connection to Atlas at https://atlas.test ('), true),
  ],
  [
    'warns while the circuit is open',
    'credential acme',
    { ...OPEN, ...REQUEST },
    warning(`accepted by Atlas; but ${OPEN.openCircuit}`),
  ],
  [
    'counts the organizations where a credential has the role',
    'role of credential acme',
    {},
    ok('may create link-tokens in 1 organization'),
  ],
  ['names them on the host', 'role of credential acme', HOST, ok(`may create link-tokens in ${ORG}`)],
  [
    'tries the visible organization if no map names one',
    'role of credential default',
    { ...HOST, served: unmapped },
    ok(`may create link-tokens in ${ORG}`),
  ],
  [
    'warns if no organization is visible and no map names one',
    'role of credential default',
    { ...listing(), served: unmapped },
    warning(including('it can see no org')),
  ],
  [
    'leaves the role unchecked without a connection to Atlas',
    'role of credential acme',
    ABSENT,
    unchecked('credential acme cannot be used'),
  ],
  [
    'accepts the organization of a request',
    `organization ${ORG}`,
    REQUEST,
    ok('credential acme may create link-tokens'),
  ],
  [
    'leaves the organization unchecked without a connection to Atlas',
    `organization ${ORG}`,
    { ...REQUEST, ...ABSENT },
    unchecked('credential acme cannot be used'),
  ],
  [
    'names the key that seals first',
    'sealing keys',
    { keyIds: ['first', 'second'] },
    ok('key first seals and opens; second open'),
  ],
  [
    'leaves a sink that has no check unchecked',
    'sink drop',
    {},
    unchecked('configured; only a delivery can tell whether it works'),
  ],
  ['fails, and may work later, while a sink is down', 'sink drop', SINK_DOWN, failedCheck('down', true)],
  ['fails if a sink rejects it', 'sink drop', SINK_REJECTS, failedCheck('no')],
  ['accepts a sink that needs the source, without a request', 'sink drop', NEEDS_SOURCE, ok('it works')],
  [
    'accepts a sink that needs the source, with a request that names it',
    'sink drop',
    { scope: { ...SCOPE, sourceOrgId: SOURCE_ORG }, ...NEEDS_SOURCE },
    ok('it works'),
  ],
  [
    'leaves a sink that needs the source unchecked for a request without one',
    'sink drop',
    { ...REQUEST, ...NEEDS_SOURCE },
    unchecked('it needs the source organization, and the request names none'),
  ],
])('the check of a worker %s', async (_what, checked, worker, finding) => {
  expect((await runChecks(worker))[checked]).toEqual(finding);
});

const CANNOT = `credential acme cannot create link-tokens in ${ORG}: Atlas returned`;
const NOT_KNOWN = `it is not known whether credential acme may create link-tokens in ${ORG}: Atlas returned`;
const NOT_VISIBLE = `${ORG} is not visible to credential acme, and a credential belongs to one organization`;

it.each([
  [401, 'a visible', [ORG], 'error', `${CANNOT} 401 `],
  [403, 'a visible', [ORG], 'error', `${CANNOT} 403 `],
  [404, 'a visible', [ORG], 'warning', `${NOT_KNOWN} 404 `],
  [503, 'a visible', [ORG], 'warning', `${NOT_KNOWN} 503 `],
  [401, 'another', [UNMAPPED_ORG], 'error', NOT_VISIBLE],
  [404, 'another', [UNMAPPED_ORG], 'error', NOT_VISIBLE],
])(
  '%d for the role in %s organization %j is an %s; without a request, a warning that names none',
  async (...row) => {
    const [status, what, visible, state, text] = row;
    const json = { detail: `not in ${ORG}` };
    const error = responseError('availableProjects', { status, json, retryAfterMs: undefined });
    const worker = { ...listing(...visible), role: () => Promise.reject(error) };
    const { 'role of credential acme': host } = await runChecks({ ...worker, ...HOST });
    expect(host).toMatchObject({ state, message: including(text) });
    const { [`organization ${ORG}`]: request } = await runChecks({ ...worker, ...REQUEST });
    expect(request).toMatchObject({ state, message: including(text) });
    expect(request?.field).toBe(what === 'another' ? 'orgId' : undefined);
    const { 'role of credential acme': gate } = await runChecks(worker);
    expect(gate).toEqual(warning(including(text.replace(ORG, 'an organization'))));
    expect(gate?.message).not.toContain(ORG);
  },
);

it('a request without a credential and a sink checks the keys alone', async () => {
  const findings = await runChecks({ scope: { ...SCOPE, credential: null, sink: null } });
  expect(Object.keys(findings)).toEqual(['sealing keys']);
});

it('the role is checked in ten organizations at most where the configuration names none, ten at a time', async () => {
  const inProgress = new Set<string>();
  let most = 0;
  const role = async (orgId: string) => {
    most = Math.max(most, inProgress.add(orgId).size);
    await new Promise(setImmediate);
    inProgress.delete(orgId);
  };
  const ids = Array.from({ length: 25 }, (_, index) => `org-${index}`);
  const { 'role of credential default': found } = await runChecks({
    ...listing(...ids),
    role,
    served: unmapped,
  });
  expect(found).toEqual(ok('may create link-tokens in 10 organizations'));
  const served = { ...organizations, servedBy: () => ids };
  const { 'role of credential acme': all } = await runChecks({ ...listing(...ids), role, served });
  expect([all, most]).toEqual([ok('may create link-tokens in 25 organizations'), 10]);
});

it('a check without a result has failed after ten seconds and may succeed later, unless it is a minor one', async () => {
  const timeout = new AbortController();
  const timeoutAfter = jest.spyOn(AbortSignal, 'timeout').mockReturnValue(timeout.signal);
  const slow = jest.fn(() => new Promise<never>(() => undefined));
  const running = runAll([
    ['slow', slow],
    ['minor', slow, warning],
  ]);
  timeout.abort();
  const noResult = 'no result within 10 s: check that the worker can reach it';
  expect(await running).toEqual([
    { check: 'slow', ...failedCheck(noResult, true) },
    { check: 'minor', ...warning(noResult) },
  ]);
  expect(timeoutAfter).toHaveBeenCalledWith(10_000);
  expect(slow).toHaveBeenCalledWith(timeout.signal);
  timeoutAfter.mockRestore();
});
