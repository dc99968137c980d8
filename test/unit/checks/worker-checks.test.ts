import type { AdminApi } from '../../../src/atlas/admin-api';
import { connectionError } from '../../../src/atlas/outcomes';
import { ok, unchecked, warning } from '../../../src/checks/check-result';
import { runAll, workerChecks, type RequestScope } from '../../../src/checks/worker-checks';
import { createOrganizations } from '../../../src/config/organizations';
import { createSealer, makeKey } from '../../../src/secrets/sealing';
import { SinkRejectedError, SinkUnavailableError, type Sink } from '../../../src/sinks/sink';
import { ORG, SOURCE_ORG, UNMAPPED_ORG } from '../activities/attempt';

const [first, second] = [makeKey(new Date()), makeKey(new Date())];
const MAP = new Map([
  [ORG, { credential: 'acme', sinks: ['drop'] }],
  [SOURCE_ORG, { credential: 'other', sinks: ['drop'] }],
]);
const CREDENTIALS = new Map([
  ['acme', null],
  ['other', null],
]);

interface Worker {
  /** The organizations that Atlas lists, or how it fails. */
  visible?: string[] | Error;
  /** State of its circuit breaker. */
  circuit?: string;
  sink?: Partial<Sink>;
  keys?: object[];
  map?: null;
  scope?: Partial<RequestScope>;
  withIds?: boolean;
}

/** Runs the checks of a worker with two credentials and one sink; returns findings by their check. */
async function runChecks({ visible = [ORG], circuit, sink = {}, keys = [first], ...worker }: Worker) {
  const { map = MAP, scope, withIds = false } = worker;
  const atlas = {
    visibleOrganizations: () =>
      visible instanceof Error ? Promise.reject(visible) : Promise.resolve(visible),
    describeOpenCircuit: () => circuit ?? null,
  };
  const sinks = new Map([['drop', sink as Sink]]);
  const services = {
    atlas: atlas as unknown as AdminApi,
    sealer: createSealer(() => JSON.stringify({ keys })),
    sinks,
    organizations: createOrganizations({ organizations: map, credentials: CREDENTIALS, sinks }),
  };
  const request = { orgId: ORG, sourceOrgId: null, credential: 'acme', sink: 'drop' };
  const findings = await runAll(workerChecks(services, scope ? { ...request, ...scope } : null, withIds));
  return Object.fromEntries(findings.map(({ check, ...finding }) => [check, finding]));
}

const error = (message: string, retryable = false, more: object = {}): object => ({
  state: 'error',
  message: expect.stringContaining(message),
  retryable,
  ...more,
});
const sinkThat = (check: () => Promise<string>, more: Partial<Sink> = {}) => ({ sink: { check, ...more } });

const REQUEST = { scope: {} };
const ALL = 'can see every organization that it serves';
const NAME_ANOTHER = ': a credential belongs to one organization, so name another for the rest';
const OTHER = { visible: [UNMAPPED_ORG] };
const NOT_ALL = `accepted by Atlas, but cannot see organizations that it serves (1 of 1)${NAME_ANOTHER}`;
const ABSENT = { visible: connectionError('orgs', false, 'ECONNREFUSED', 'https://atlas.test') };
const NOT_VISIBLE = 'is not visible to credential acme, and a credential belongs to one';
const circuit = 'this worker sends no request';
const works = () => Promise.resolve('it works');
const NEEDS_SOURCE = sinkThat(works, { needsSourceOrgId: true });
const NO_SOURCE = 'it needs the source organization, and the request names none';

it.each<[checked: string, worker: Worker, finding: object]>([
  ['credential acme', {}, ok(`accepted by Atlas; ${ALL}`)],
  ['credential acme', { withIds: true }, ok(`accepted by Atlas; can see ${ORG}`)],
  ['credential acme', { map: null }, ok('accepted by Atlas; can see an organization')],
  [
    'credential acme',
    { map: null, visible: [] },
    warning('accepted by Atlas; can see no organization: check its roles'),
  ],
  ['credential acme', OTHER, error(NOT_ALL)],
  [
    'credential acme',
    { ...OTHER, withIds: true },
    error(`cannot see ${ORG} (it can see ${UNMAPPED_ORG})${NAME_ANOTHER}`),
  ],
  ['credential acme', { visible: [], withIds: true }, error(`cannot see ${ORG} (it can see none)`)],
  ['credential acme', ABSENT, error('no connection to Atlas at https://atlas.test (ECONNREFUSED)', true)],
  ['credential acme', REQUEST, ok('accepted by Atlas')],
  ['credential acme', { circuit, ...REQUEST }, warning(`accepted by Atlas; but ${circuit}`)],
  ['credential acme', { circuit, ...OTHER }, error(NOT_ALL)],

  ['sealing keys', {}, ok(`key ${first.kid} seals and opens`)],
  ['sealing keys', { keys: [first, second] }, ok(`key ${first.kid} seals and opens; ${second.kid} open`)],

  [`organization ${ORG}`, REQUEST, ok('visible to credential acme')],
  [`organization ${ORG}`, { ...REQUEST, ...OTHER }, error(NOT_VISIBLE, false, { field: 'orgId' })],
  [`organization ${ORG}`, { ...REQUEST, ...ABSENT }, unchecked('credential acme cannot be used')],

  ['sink drop', { ...REQUEST, ...sinkThat(works) }, ok('it works')],
  ['sink drop', {}, unchecked('configured; only a delivery can tell whether it works')],
  ['sink drop', sinkThat(() => Promise.reject(new SinkUnavailableError('down'))), error('down', true)],
  ['sink drop', sinkThat(() => Promise.reject(new SinkRejectedError('no'))), error('no')],
  ['sink drop', { ...REQUEST, ...NEEDS_SOURCE }, unchecked(NO_SOURCE)],
  ['sink drop', { scope: { sourceOrgId: SOURCE_ORG }, ...NEEDS_SOURCE }, ok('it works')],
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
  const slow = jest.fn(() => new Promise<never>(() => undefined));
  const running = runAll([
    ['slow', slow],
    ['quick', () => Promise.resolve(ok('it works'))],
  ]);
  timeout.abort();
  expect(await running).toEqual([
    { check: 'slow', ...error('no result within 10 s: check that the worker can reach it', true) },
    { check: 'quick', ...ok('it works') },
  ]);
  expect(timeoutAfter).toHaveBeenCalledWith(10_000);
  expect(slow).toHaveBeenCalledWith(timeout.signal);
  timeoutAfter.mockRestore();
});
