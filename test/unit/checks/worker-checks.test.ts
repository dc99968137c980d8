import type { AdminApi } from '../../../src/atlas/admin-api';
import { connectionError } from '../../../src/atlas/outcomes';
import { runAll, workerChecks, type RequestScope } from '../../../src/checks/worker-checks';
import { createOrganizations } from '../../../src/config/organizations';
import { createSealer, makeKey } from '../../../src/secrets/sealing';
import { SinkRejectedError, SinkUnavailableError, type Sink } from '../../../src/sinks/sink';
import { ORG, SOURCE_ORG, UNMAPPED_ORG } from '../activities/attempt';

const [first, second] = [makeKey(new Date()), makeKey(new Date())];
const sealerOf = (...keys: object[]) => createSealer(() => JSON.stringify({ keys }));
const MAP = new Map([[ORG, { credential: 'acme', sinks: ['drop'] }]]);

interface Worker {
  /** The organizations that Atlas lists, or how it fails. */
  visible?: string[] | Error;
  /** State of its circuit breaker. */
  circuit?: string | null;
  sink?: Partial<Sink>;
  keys?: object[];
  map?: typeof MAP | null;
  scope?: Partial<RequestScope>;
  withIds?: boolean;
}

/** Runs the checks of a worker with one credential and one sink; returns findings by their check. */
async function runChecks(worker: Worker) {
  const {
    visible = [ORG],
    circuit = null,
    sink = {},
    keys = [first],
    map = MAP,
    scope,
    withIds = false,
  } = worker;
  const visibleOrganizations = () =>
    visible instanceof Error ? Promise.reject(visible) : Promise.resolve(visible);
  const sinks = new Map([['drop', sink as Sink]]);
  const parts = {
    atlas: { visibleOrganizations, describeOpenCircuit: () => circuit } as unknown as AdminApi,
    sealer: sealerOf(...keys),
    sinks,
    organizations: createOrganizations({ organizations: map, credentials: new Map([['acme', null]]), sinks }),
  };
  const request = { orgId: ORG, sourceOrgId: null, credential: 'acme', sink: 'drop' };
  const findings = await runAll(workerChecks(parts, scope ? { ...request, ...scope } : null, withIds));
  return Object.fromEntries(findings.map(({ check, ...finding }) => [check, finding]));
}

const ok = (message: string) => ({ state: 'ok', message });
const unchecked = (message: string) => ({ state: 'unchecked', message });
const warning = (message: string) => ({ state: 'warning', message });
const error = (message: string, retryable = false, more: object = {}): object => ({
  state: 'error',
  message: expect.stringContaining(message),
  retryable,
  ...more,
});

const REQUEST = { scope: {} };
const ALL = 'can see every organization that it serves';
const NAME_ANOTHER = ': a credential belongs to one organization, so name another for the rest';
const OTHER = { visible: [UNMAPPED_ORG] };
const NOT_ALL = `accepted by Atlas, but cannot see organizations that it serves (1 of 1)${NAME_ANOTHER}`;
const ABSENT = { visible: connectionError('orgs', false, 'ECONNREFUSED', 'https://atlas.test') };
const NOT_VISIBLE = 'is not visible to credential acme, and a credential belongs to one';
const circuit = 'this worker sends no request';

it.each<[worker: Worker, finding: object]>([
  [{}, ok(`accepted by Atlas; ${ALL}`)],
  [{ withIds: true }, ok(`accepted by Atlas; can see ${ORG}`)],
  [{ map: null }, ok('accepted by Atlas; can see an organization')],
  [{ map: null, visible: [] }, warning('accepted by Atlas; can see no organization: check its roles')],
  [OTHER, error(NOT_ALL)],
  [{ ...OTHER, withIds: true }, error(`cannot see ${ORG} (it can see ${UNMAPPED_ORG})${NAME_ANOTHER}`)],
  [{ visible: [], withIds: true }, error(`cannot see ${ORG} (it can see none)`)],
  [ABSENT, error('no connection to Atlas at https://atlas.test (ECONNREFUSED)', true)],
  [REQUEST, ok('accepted by Atlas')],
  [{ circuit }, warning(`accepted by Atlas; ${ALL}; but ${circuit}`)],
  [{ circuit, ...REQUEST }, warning(`accepted by Atlas; but ${circuit}`)],
  [{ circuit, ...OTHER }, error(NOT_ALL)],
])('a worker finds out about its credential (%#): %j', async (worker, finding) => {
  expect((await runChecks(worker))['credential acme']).toEqual(finding);
});

const check = (result: string | Error) => ({
  check: () => (result instanceof Error ? Promise.reject(result) : Promise.resolve(result)),
});
const WORKS = { sink: check('it works') };
const NEEDS_SOURCE = { sink: { needsSourceOrgId: true, ...check('it works') } };
const WITH_SOURCE = { scope: { sourceOrgId: SOURCE_ORG } };
const NO_SOURCE = 'it needs the source organization, and the request names none';

it.each<[checked: string, worker: Worker, finding: object]>([
  ['sealing keys', {}, ok(`key ${first.kid} seals and opens`)],
  ['sealing keys', { keys: [first, second] }, ok(`key ${first.kid} seals and opens; ${second.kid} open`)],

  [`organization ${ORG}`, REQUEST, ok('visible to credential acme')],
  [`organization ${ORG}`, { ...REQUEST, ...OTHER }, error(NOT_VISIBLE, false, { field: 'orgId' })],
  [`organization ${ORG}`, { ...REQUEST, ...ABSENT }, unchecked('credential acme cannot be used')],

  ['sink drop', WORKS, ok('it works')],
  ['sink drop', { ...REQUEST, ...WORKS }, ok('it works')],
  ['sink drop', {}, unchecked('configured; only a delivery can tell whether it works')],
  ['sink drop', { sink: check(new SinkUnavailableError('down')) }, error('down', true)],
  ['sink drop', { sink: check(new SinkRejectedError('no')) }, error('no')],
  ['sink drop', { ...REQUEST, ...NEEDS_SOURCE }, unchecked(NO_SOURCE)],
  ['sink drop', { ...WITH_SOURCE, ...NEEDS_SOURCE }, ok('it works')],
  ['sink drop', NEEDS_SOURCE, ok('it works')],
])('a worker finds out about its %s (%#)', async (checked, worker, finding) => {
  expect((await runChecks(worker))[checked]).toEqual(finding);
});

it('a request without a credential and a sink checks the keys alone', async () => {
  expect(Object.keys(await runChecks({ scope: { credential: null, sink: null } }))).toEqual(['sealing keys']);
});

it('a check without a result has failed after ten seconds, and may succeed later', async () => {
  const timeout = new AbortController();
  const timeoutAfter = jest.spyOn(AbortSignal, 'timeout').mockReturnValue(timeout.signal);
  const signals: AbortSignal[] = [];
  const running = runAll([
    ['slow', (signal) => new Promise(() => signals.push(signal))],
    ['quick', () => Promise.resolve({ state: 'ok', message: 'it works' })],
  ]);
  timeout.abort();
  expect(await running).toEqual([
    { check: 'slow', ...error('no result within 10 s: check that the worker can reach it', true) },
    { check: 'quick', ...ok('it works') },
  ]);
  expect(timeoutAfter).toHaveBeenCalledWith(10_000);
  expect(signals).toEqual([timeout.signal]);
  timeoutAfter.mockRestore();
});
