import { connectionError } from '../../../src/atlas/outcomes';
import { failedCheck, ok, unchecked, warning } from '../../../src/checks/check-result';
import { runAll, workerChecks, type RequestScope } from '../../../src/checks/worker-checks';
import type { Services } from '../../../src/config/services';
import { SinkRejectedError, SinkUnavailableError, type Sink } from '../../../src/sinks/sink';
import { ORG, SOURCE_ORG, UNMAPPED_ORG, organizations, unmapped } from '../activities/attempt';

const WORKER = {
  visible: () => Promise.resolve([ORG]),
  openCircuit: null as string | null,
  keyIds: ['first'],
  sink: {} as Partial<Sink>,
  served: organizations,
  scope: null as RequestScope | null,
  withIds: false,
};

/** Runs the checks of a worker with one sink; returns findings by their check. */
async function runChecks(change: Partial<typeof WORKER>) {
  const { visible, openCircuit, keyIds, sink, served, scope, withIds } = { ...WORKER, ...change };
  const services = {
    atlas: { visibleOrganizations: visible, describeOpenCircuit: () => openCircuit },
    sealer: { keyIds: () => keyIds },
    sinks: new Map([['drop', sink]]),
    organizations: served,
  };
  const findings = await runAll(workerChecks(services as unknown as Services, scope, withIds));
  return Object.fromEntries(findings.map(({ check, ...finding }) => [check, finding]));
}

const including = (text: string) => expect.stringContaining(text);
const listing = (...ids: string[]) => ({ visible: () => Promise.resolve(ids) });
const sinkThat = (check: () => Promise<string>, more: Partial<Sink> = {}) => ({ sink: { check, ...more } });

const SCOPE = { orgId: ORG, sourceOrgId: null, credential: 'acme', sink: 'drop' };
const REQUEST = { scope: SCOPE };
const absent = connectionError('orgs', false, 'ECONNREFUSED', 'https://atlas.test');
const ABSENT = { visible: () => Promise.reject(absent) };
const OTHER = listing(UNMAPPED_ORG);
const NOT_ALL =
  'accepted by Atlas, but cannot see organizations that it serves (1 of 1): a credential belongs';
const OPEN = { openCircuit: 'this worker sends no request' };
const NEEDS_SOURCE = sinkThat(() => Promise.resolve('it works'), { needsSourceOrgId: true });

it.each<[checked: string, worker: Partial<typeof WORKER>, finding: object]>([
  ['credential acme', {}, ok('accepted by Atlas; can see every organization that it serves')],
  ['credential acme', { withIds: true }, ok(`accepted by Atlas; can see ${ORG}`)],
  ['credential default', { served: unmapped }, ok('accepted by Atlas; can see an organization')],
  ['credential default', listing(), warning('accepted by Atlas; can see no organization: check its roles')],
  ['credential acme', OTHER, failedCheck(including(NOT_ALL))],
  [
    'credential acme',
    { ...OTHER, withIds: true },
    failedCheck(including(`cannot see ${ORG} (it can see ${UNMAPPED_ORG}): a credential belongs to one`)),
  ],
  ['credential acme', ABSENT, failedCheck(including('no connection to Atlas at https://atlas.test ('), true)],
  ['credential acme', { ...OPEN, ...REQUEST }, warning(`accepted by Atlas; but ${OPEN.openCircuit}`)],
  ['credential acme', { ...OPEN, ...OTHER }, failedCheck(including(NOT_ALL))],

  ['sealing keys', { keyIds: ['first', 'second'] }, ok('key first seals and opens; second open')],

  [`organization ${ORG}`, REQUEST, ok('visible to credential acme')],
  [
    `organization ${ORG}`,
    { ...REQUEST, ...OTHER },
    { ...failedCheck(including('is not visible to credential acme, and a credential')), field: 'orgId' },
  ],
  [`organization ${ORG}`, { ...REQUEST, ...ABSENT }, unchecked('credential acme cannot be used')],

  ['sink drop', {}, unchecked('configured; only a delivery can tell whether it works')],
  ['sink drop', sinkThat(() => Promise.reject(new SinkUnavailableError('down'))), failedCheck('down', true)],
  ['sink drop', sinkThat(() => Promise.reject(new SinkRejectedError('no'))), failedCheck('no')],
  ['sink drop', NEEDS_SOURCE, ok('it works')],
  ['sink drop', { scope: { ...SCOPE, sourceOrgId: SOURCE_ORG }, ...NEEDS_SOURCE }, ok('it works')],
  [
    'sink drop',
    { ...REQUEST, ...NEEDS_SOURCE },
    unchecked('it needs the source organization, and the request names none'),
  ],
])('a worker finds out about its %s (%#)', async (checked, worker, finding) => {
  expect((await runChecks(worker))[checked]).toEqual(finding);
});

it('a request without a credential and a sink checks the keys alone', async () => {
  const findings = await runChecks({ scope: { ...SCOPE, credential: null, sink: null } });
  expect(Object.keys(findings)).toEqual(['sealing keys']);
});

it('a check without a result has failed after ten seconds, and may succeed later', async () => {
  const timeout = new AbortController();
  const timeoutAfter = jest.spyOn(AbortSignal, 'timeout').mockReturnValue(timeout.signal);
  const slow = jest.fn(() => new Promise<never>(() => undefined));
  const running = runAll([['slow', slow]]);
  timeout.abort();
  const noResult = failedCheck('no result within 10 s: check that the worker can reach it', true);
  expect(await running).toEqual([{ check: 'slow', ...noResult }]);
  expect(timeoutAfter).toHaveBeenCalledWith(10_000);
  expect(slow).toHaveBeenCalledWith(timeout.signal);
  timeoutAfter.mockRestore();
});
