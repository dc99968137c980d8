import type { AdminApi } from '../../../src/atlas/admin-api';
import { connectionError } from '../../../src/atlas/outcomes';
import { runAll, workerChecks, type RequestScope } from '../../../src/checks/worker-checks';
import { createOrganizations } from '../../../src/config/organizations';
import { createSealer, makeKey } from '../../../src/sealing';
import { SinkRejectedError, SinkUnavailableError, type Sink } from '../../../src/sinks/sink';
import { ORG, SOURCE_ORG, UNMAPPED_ORG } from '../activities/attempt';

const [first, second] = [makeKey(new Date()), makeKey(new Date())];
const sealerOf = (...keys: object[]) => createSealer(() => JSON.stringify({ keys }));
const MAP = new Map([[ORG, { credential: 'acme', sinks: ['drop'] }]]);

interface Scene {
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
async function found({
  visible = [ORG],
  circuit = null,
  sink = {},
  keys = [first],
  map = MAP,
  scope,
  withIds = false,
}: Scene) {
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
const error = (message: string, retryable = false): object => ({
  state: 'error',
  message: expect.stringContaining(message),
  retryable,
});
const NAME_ANOTHER = ': a credential belongs to one organization, so name another for the rest';
const check = (result: string | Error) => ({
  check: () => (result instanceof Error ? Promise.reject(result) : Promise.resolve(result)),
});

it.each<[what: string, scene: Scene, checked: string, finding: object]>([
  ['one key', {}, 'sealing keys', ok(`key ${first.kid} seals and opens`)],
  [
    'two keys',
    { keys: [first, second] },
    'sealing keys',
    ok(`key ${first.kid} seals and opens; ${second.kid} open`),
  ],

  [
    'what the map needs',
    {},
    'credential acme',
    ok('accepted by Atlas; can see every organization that it serves'),
  ],
  [
    'the same for the operator',
    { withIds: true },
    'credential acme',
    ok(`accepted by Atlas; can see ${ORG}`),
  ],
  ['no map', { map: null }, 'credential acme', ok('accepted by Atlas; can see an organization')],
  [
    'no map and no organization',
    { map: null, visible: [] },
    'credential acme',
    { state: 'warning', message: 'accepted by Atlas; can see no organization: check its roles' },
  ],
  [
    'another organization',
    { visible: [UNMAPPED_ORG] },
    'credential acme',
    error(`accepted by Atlas, but cannot see organizations that it serves (1 of 1)${NAME_ANOTHER}`),
  ],
  [
    'another organization, for the operator',
    { visible: [UNMAPPED_ORG], withIds: true },
    'credential acme',
    error(`cannot see ${ORG} (it can see ${UNMAPPED_ORG})${NAME_ANOTHER}`),
  ],
  [
    'no organization, for the operator',
    { visible: [], withIds: true },
    'credential acme',
    error(`cannot see ${ORG} (it can see none)`),
  ],
  [
    'an Atlas that is not there',
    { visible: connectionError('orgs', false, 'ECONNREFUSED', 'https://atlas.test') },
    'credential acme',
    error('no connection to Atlas at https://atlas.test (ECONNREFUSED)', true),
  ],

  [
    'an open circuit',
    { circuit: 'this worker sends no request' },
    'credential acme',
    {
      state: 'warning',
      message:
        'accepted by Atlas; can see every organization that it serves; but this worker sends no request',
    },
  ],
  [
    'an open circuit, for a request',
    { scope: {}, circuit: 'this worker sends no request' },
    'credential acme',
    { state: 'warning', message: 'accepted by Atlas; but this worker sends no request' },
  ],
  [
    'an open circuit and another organization',
    { visible: [UNMAPPED_ORG], circuit: 'this worker sends no request' },
    'credential acme',
    error('accepted by Atlas, but cannot see organizations that it serves (1 of 1)'),
  ],

  ['a request', { scope: {} }, 'credential acme', ok('accepted by Atlas')],
  ['a request', { scope: {} }, `organization ${ORG}`, ok('visible to credential acme')],
  [
    'a request for another organization',
    { scope: {}, visible: [UNMAPPED_ORG] },
    `organization ${ORG}`,
    { ...error('is not visible to credential acme, and a credential belongs to one'), field: 'orgId' },
  ],
  [
    'a request and an Atlas that is not there',
    { scope: {}, visible: connectionError('orgs', false, 'ECONNREFUSED', 'https://atlas.test') },
    `organization ${ORG}`,
    unchecked('credential acme cannot be used'),
  ],

  ['a sink that works', { sink: check('it works') }, 'sink drop', ok('it works')],
  [
    'such a sink and a request without a source',
    { scope: {}, sink: check('it works') },
    'sink drop',
    ok('it works'),
  ],
  [
    'a sink that cannot be checked',
    {},
    'sink drop',
    unchecked('configured; only a delivery can tell whether it works'),
  ],
  [
    'a sink that is down',
    { sink: check(new SinkUnavailableError('down')) },
    'sink drop',
    error('down', true),
  ],
  ['a sink that refuses', { sink: check(new SinkRejectedError('no')) }, 'sink drop', error('no')],
  [
    'a sink that needs a source, and a request without one',
    { scope: {}, sink: { needsSourceOrgId: true, ...check('it works') } },
    'sink drop',
    unchecked('it needs the source organization, and the request names none'),
  ],
  [
    'the same and a request with one',
    { scope: { sourceOrgId: SOURCE_ORG }, sink: { needsSourceOrgId: true, ...check('it works') } },
    'sink drop',
    ok('it works'),
  ],
  [
    'the same and no request',
    { sink: { needsSourceOrgId: true, ...check('it works') } },
    'sink drop',
    ok('it works'),
  ],
])('of %s a worker says so (%#)', async (_what, scene, checked, finding) => {
  expect((await found(scene))[checked]).toEqual(finding);
});

it('a request without a credential and a sink checks the keys alone', async () => {
  expect(Object.keys(await found({ scope: { credential: null, sink: null } }))).toEqual(['sealing keys']);
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
