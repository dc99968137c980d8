import { validateRequestActivity } from '../../../src/activities/validate-request';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { sinkConfigSchema } from '../../../src/sinks';
import type { Sink } from '../../../src/sinks/sink';
import { WORKER_IDENTITY } from '../../../src/version';
import { BACKOFF, LEFT_OUT, ORG, OTHER_ORG, SOURCE_ORG, aRequest, aSink } from '../samples';
import { clientOf, grpcError } from '../temporal/scripted-server';
import {
  attemptIn,
  failureOf,
  organizations,
  problemsOf,
  refusedFields,
  type Untyped,
} from './attempt';

const TIMEOUTS = { attemptTimeoutMs: 4, heartbeatTimeoutMs: 5 };
const RETRIES = {
  ...BACKOFF,
  create: TIMEOUTS,
  giveUpAfterMs: 6,
  deliver: TIMEOUTS,
  roundMs: 7,
};
const UNKNOWN_SOURCE = '64f1c0ffee5eed0000005c10';
const OTHERS_SOURCE = '64f1c0ffee5eed0000005c02';
const SOURCES = new Map([
  [SOURCE_ORG, ORG],
  [OTHERS_SOURCE, OTHER_ORG],
]);
const SINKS = new Map<string, Sink>([
  ['drop', aSink()],
  ['source', aSink({ needsSourceOrgId: true, sources: SOURCES })],
]);

const EMPTY = clientOf({ list: () => ({ executions: [] }) });

interface Run {
  workflowId?: string;
}

/** Validates anything that a caller may send, in the run of `ORG`. */
function validate(request: unknown, run: Run = {}, sinks = SINKS) {
  const { workflowId = workflowIdFor({ orgId: ORG }) } = run;
  const activity = validateRequestActivity({ organizations, sinks }, RETRIES) as Untyped;
  const attempt = attemptIn({ workflowExecution: { workflowId, runId: 'run' } }, EMPTY);
  return attempt.run<unknown[], unknown, Untyped>(activity, request);
}

it('a valid request is returned with the credential of its organization and the retries', async () => {
  const request = { ...aRequest(LEFT_OUT), credential: 'acme', warnings: [] };
  await expect(validate(aRequest())).resolves.toEqual({ request, retries: RETRIES });
});

it('only a worker that writes search attributes says so to the run', async () => {
  const workflowId = workflowIdFor({ orgId: ORG });
  const attempt = attemptIn({ workflowExecution: { workflowId, runId: 'run' } }, EMPTY);
  const activity = validateRequestActivity({ organizations, sinks: SINKS }, RETRIES, true);
  const result = attempt.run<unknown[], unknown, Untyped>(activity as Untyped, aRequest());
  await expect(result).resolves.toMatchObject({ searchAttributes: true });
});

it('an access list for a Cloud Manager sink gets a warning with the reason', async () => {
  const pair = { sink: 'source', sourceOrgId: SOURCE_ORG };
  const context = { env: { KEY: 'key' }, baseDirectory: '/', warn: jest.fn() };
  const keys = { publicKey: { env: 'KEY' }, privateKey: { env: 'KEY' } };
  const sources = { [SOURCE_ORG]: { orgId: ORG, ...keys } };
  const sink = await sinkConfigSchema(context).parse({ type: 'cloudManager', sources })();
  const validateAccessList = (accessListIps: string[]) =>
    validate(aRequest({ ...pair, accessListIps }), OTHER_PAIR, new Map([['source', sink]]));
  const warning =
    /^accessListIps is not needed: sink source delivers to Cloud Manager, so write \[\]$/;
  const warnings = [expect.stringMatching(warning)];
  await expect(validateAccessList(['192.31.196.7'])).resolves.toMatchObject({
    request: { warnings },
  });
  await expect(validateAccessList([])).resolves.toMatchObject({ request: { warnings: [] } });
});

const UNSERVED = workflowIdFor({ orgId: OTHER_ORG });
const NO_SINK =
  `is not a sink of this organization on worker ${WORKER_IDENTITY}:` +
  ' write one of drop, down, source';
const OWN_ID =
  `must be live-migration-prep/${ORG}:` +
  ' one run of prepareLiveMigration for each pair of organizations';
const NO_CREDENTIAL =
  `${OTHER_ORG} has no credential in the configuration of worker ${WORKER_IDENTITY}:` +
  ' name one under atlas.organizations, and restart the workers';
const NO_SOURCE = 'is missing, and sink source needs the source organization: name it';

const notTaken = (source: string) =>
  `sink source of worker ${WORKER_IDENTITY} does not take source organization ${source}` +
  ` to Atlas organization ${ORG}: if the two belong together, set sinks.source.sources.${source}` +
  ' with this orgId, publicKey and privateKey, and restart the workers';

const OTHER_PAIR = { workflowId: workflowIdFor({ orgId: ORG, sourceOrgId: SOURCE_ORG }) };
const WITH_TIME = { workflowId: `${workflowIdFor({ orgId: ORG })}-2026-11-25T06:00:00Z` };

it.each<[what: string, field: string, change: object, run: Run, description: unknown]>([
  ['an unknown sink', 'sink', { sink: 'nope' }, {}, `"nope" ${NO_SINK}`],
  ['a sink that is not permitted', 'sink', { sink: 'secret' }, {}, `"secret" ${NO_SINK}`],
  [
    'a sink that is named like a method',
    'sink',
    { sink: 'constructor' },
    {},
    `"constructor" ${NO_SINK}`,
  ],
  [
    'an unserved organization',
    'orgId',
    { orgId: OTHER_ORG },
    { workflowId: UNSERVED },
    NO_CREDENTIAL,
  ],
  ['a sink that needs the missing source', 'sourceOrgId', { sink: 'source' }, {}, NO_SOURCE],
  [
    'a source that the sink lacks',
    'sourceOrgId',
    { sink: 'source', sourceOrgId: UNKNOWN_SOURCE },
    { workflowId: workflowIdFor({ orgId: ORG, sourceOrgId: UNKNOWN_SOURCE }) },
    notTaken(UNKNOWN_SOURCE),
  ],
  [
    'a source of another Atlas organization',
    'sourceOrgId',
    { sink: 'source', sourceOrgId: OTHERS_SOURCE },
    { workflowId: workflowIdFor({ orgId: ORG, sourceOrgId: OTHERS_SOURCE }) },
    notTaken(OTHERS_SOURCE),
  ],
  ['the workflow id of another pair', 'workflowId', {}, OTHER_PAIR, OWN_ID],
  ['the workflow id of a schedule', 'workflowId', {}, WITH_TIME, OWN_ID],
])('a request with %s is refused for its %s', async (_what, field, change, run, description) => {
  expect(await problemsOf(validate(aRequest(change), run))).toEqual([[field, description]]);
});

it('one failure names every problem of a request, each once', async () => {
  const fieldsOf = (request: object) => refusedFields(validate(request));
  const request = await fieldsOf({ orgId: 'x', sink: 'nope', accessListIps: ['y'], extra: 1 });
  expect(request).toEqual(['orgId', 'extra', 'accessListIps[0]', 'sink']);
  expect(await fieldsOf(aRequest({ sink: 5 }))).toEqual(['sink']);
});

describe('an attempt', () => {
  const UNAVAILABLE = 14;
  const activity = validateRequestActivity({ organizations, sinks: SINKS }, RETRIES) as Untyped;
  const runWith = (list: () => Promise<object>, { attempt = 1, runId = 'run' } = {}) =>
    attemptIn(
      { attempt, workflowExecution: { workflowId: workflowIdFor({ orgId: ORG }), runId } },
      clientOf({ list }),
    ).run<unknown[], unknown, Untyped>(activity, aRequest());
  const findIn = (list: () => Promise<object>, attempt?: number) =>
    failureOf(runWith(list, { attempt }));

  afterEach(() => void jest.useRealTimers());

  it('whose list fails is retried, after a pause that grows to at most 10 s', async () => {
    const away = () => Promise.reject(grpcError(UNAVAILABLE, 'away'));
    const first = await findIn(away);
    expect(first).toMatchObject({ type: 'TemporalUnavailable', nonRetryable: false });
    expect(first.nextRetryDelay).toBeLessThanOrEqual(1000);
    const tenth = await findIn(away, 10);
    expect(tenth.nextRetryDelay).toBeGreaterThanOrEqual(5_000);
    expect(tenth.nextRetryDelay).toBeLessThanOrEqual(10_000);
  });

  it('whose list is slow fails soon, and a later attempt of the run takes its result', async () => {
    jest.useFakeTimers();
    let respond: (list: object) => void = () => undefined;
    const list = jest.fn(() => new Promise<object>((resolve) => (respond = resolve)));
    const slow = failureOf(runWith(list, { runId: 'slow' }));
    await jest.advanceTimersByTimeAsync(500);
    expect(await slow).toMatchObject({ type: 'TemporalUnavailable', nonRetryable: false });

    respond({ executions: [] });
    await expect(runWith(list, { runId: 'slow', attempt: 2 })).resolves.toBeDefined();
    expect(list).toHaveBeenCalledTimes(1);
    const other = failureOf(runWith(list, { runId: 'another of the pair' }));
    await jest.advanceTimersByTimeAsync(500);
    await other;
    expect(list).toHaveBeenCalledTimes(2);
  });
});
