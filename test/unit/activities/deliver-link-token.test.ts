import type { Info } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { deliverLinkTokenActivity } from '../../../src/activities/deliver-link-token';
import { MAX_JWE_LENGTH } from '../../../src/contract/limits';
import { receiptSchema } from '../../../src/contract/schemas';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { SinkRejectedError, SinkUnavailableError, type Sink } from '../../../src/sinks/sink';
import { WORKER_IDENTITY } from '../../../src/version';
import { BACKOFF, FACTS, ORG, SOURCE_ORG, aSink } from '../samples';
import {
  OWN_ID,
  FOREIGN,
  attemptIn,
  failureOf,
  organizations,
  refusedFields,
  sealer,
  stopDuring,
  type Untyped,
} from './attempt';

/** Schedule-to-close has room for one attempt only. */
const AT_ROUND_END = { scheduleToCloseTimeoutMs: 300_000, startToCloseTimeoutMs: 300_000 };

const seal = (facts: object = {}, workflowId = OWN_ID) =>
  sealer.seal('CANARY-token', { ...FACTS, unconfirmedTokens: 2, ...facts }, workflowId);

/** A worker whose sinks store what they get, unless a test says otherwise. */
function worker(token: unknown = seal()) {
  const deliver = jest.fn<Promise<string>, Parameters<Sink['deliver']>>();
  deliver.mockResolvedValue('file x');
  const sinks = new Map<string, Sink>([
    ['drop', aSink({ deliver })],
    ['secret', aSink({ deliver })],
    ['source', aSink({ deliver, needsSourceOrgId: true, sources: new Map() })],
  ]);
  const activity = deliverLinkTokenActivity({ sealer, sinks, organizations }, BACKOFF) as Untyped;
  const attempt = async (info: Partial<Info> = {}, sink: unknown = 'drop', env = attemptIn(info)) =>
    env.run(activity, await token, sink);
  return { deliver, attempt };
}

/** Runs one attempt, which must not call a sink. */
async function attemptWithoutDelivery(
  info: Partial<Info>,
  sink?: unknown,
  token?: unknown,
): Promise<void> {
  const { deliver, attempt } = worker(token);
  await attempt(info, sink).finally(() => expect(deliver).not.toHaveBeenCalled());
}

it('sink and receipt use the facts inside the seal, not those beside it', async () => {
  const sealed = await seal({ accessListIps: ['10.1.2.3'] });
  const { deliver, attempt } = worker({ ...sealed, orgId: 'forged', requestedBy: 'forged' });
  const { jwe: _, ...facts } = sealed;
  const deliveredAt = expect.stringMatching(/^\d{4}-.*Z$/);
  expect(await attempt()).toEqual({ ...facts, sink: 'drop', location: 'file x', deliveredAt });
  const {
    accessListIps: _a,
    credential: _c,
    warnings: _w,
    unconfirmedTokens: _u,
    ...delivery
  } = facts;
  expect(deliver.mock.calls).toEqual([
    [{ ...delivery, linkToken: 'CANARY-token' }, expect.any(AbortSignal)],
  ]);
});

it('a location that is longer than a receipt permits is cut', async () => {
  const { deliver, attempt } = worker();
  deliver.mockResolvedValue('x'.repeat(1_000_000));
  const receipt = await attempt();
  expect(receiptSchema.safeParse({ ...(receipt as object), alsoTried: [] }).error).toBeUndefined();
});

describe('no sink gets a token', () => {
  it.each<[when: string, field: string, ...args: Parameters<typeof attemptWithoutDelivery>]>([
    ['from another workflow type', 'workflowId', { workflowType: 'mine' }],
    ['if its JWE is too large', 'jwe', {}, 'drop', { jwe: 'x'.repeat(MAX_JWE_LENGTH + 1) }],
    ["if the sink's name is not a string", 'request', {}, { name: 'drop' }],
  ])('%s', async (_when, field, info, ...args) => {
    expect(await refusedFields(attemptWithoutDelivery({ ...FOREIGN, ...info }, ...args))).toEqual([
      field,
    ]);
  });

  it.each<[what: string, sink: string, sourceOrgId: string | null, message: string]>([
    [
      'the organization may not use the sink',
      'secret',
      SOURCE_ORG,
      `secret is not permitted for organization ${ORG}`,
    ],
    [
      'the sink needs the source, and the request names none',
      'source',
      null,
      'named none: redeliver to another sink',
    ],
  ])('if %s', async (_what, sink, sourceOrgId, message) => {
    const workflowId = workflowIdFor({ orgId: ORG, sourceOrgId });
    const info = { workflowExecution: { workflowId, runId: 'run' } };
    const failure = await failureOf(
      attemptWithoutDelivery(info, sink, seal({ sourceOrgId }, workflowId)),
    );
    expect(failure).toMatchObject({ type: 'SinkRejected' });
    expect(failure.message).toContain(message);
  });
});

it.each([
  ['finds no such sink', 'down', `worker ${WORKER_IDENTITY} has no sink "down": `],
  [
    'finds no pair of the source',
    'source',
    `set sinks.source.sources.${SOURCE_ORG} with this orgId`,
  ],
])('an attempt that %s is retried: another worker may have it', async (_what, sink, text) => {
  const message = expect.stringContaining(text);
  const failure = await failureOf(worker().attempt({}, sink));
  expect(failure).toMatchObject({ type: 'SinkUnavailable', nonRetryable: false, message });
});

it('an attempt that the sink rejects is the last', async () => {
  const { deliver, attempt } = worker();
  deliver.mockRejectedValue(new SinkRejectedError('no'));
  expect(await failureOf(attempt())).toMatchObject({ type: 'SinkRejected', nonRetryable: true });
});

/** The failure of an attempt that is stopped during its delivery. */
function failureOnceStopped(details: object) {
  const { deliver, attempt } = worker();
  const env = attemptIn();
  deliver.mockImplementation((_delivery, signal) => stopDuring(env, details)(signal));
  return failureOf(attempt({}, 'drop', env));
}

it('an attempt that a cancel stops during its delivery is cancelled', async () => {
  expect(await failureOnceStopped({ cancelRequested: true })).toBeInstanceOf(CancelledFailure);
});

it('an attempt that a shutdown stops is retried', async () => {
  expect(await failureOnceStopped({ workerShutdown: true })).toMatchObject({
    type: 'SinkUnavailable',
    nonRetryable: false,
  });
});

it('an attempt is the last when its round has no time for another', async () => {
  const { deliver, attempt } = worker();
  deliver.mockRejectedValue(new SinkUnavailableError('down'));
  const failure = await failureOf(attempt(AT_ROUND_END));
  expect(failure).toMatchObject({ type: 'SinkUnavailable', nonRetryable: true });
});
