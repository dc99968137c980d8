import { CancelledFailure } from '@temporalio/common';
import type { Info } from '@temporalio/activity';
import { deliverLinkTokenActivity } from '../../../src/activities/deliver-link-token';
import { workflowIdFor } from '../../../src/contract/names';
import type { SealedToken } from '../../../src/contract/schemas';
import { SinkRejectedError, SinkUnavailableError, type Delivery, type Sink } from '../../../src/sinks/sink';
import {
  FOREIGN_CALLERS,
  ORG,
  OWN_ID,
  SOURCE_ORG,
  attemptIn,
  failureOf,
  newSealer,
  organizations,
  refusedFields,
  sealer,
} from './attempt';

const FACTS = {
  orgId: ORG,
  sourceOrgId: SOURCE_ORG,
  accessListIps: ['192.31.196.7'],
  credential: 'acme',
  warnings: ['a warning'],
  requestedBy: 'Ada',
  changeReference: 'CHG-1',
  unconfirmedTokens: 2,
};

const PLAN = {
  initialIntervalMs: 1,
  backoffCoefficient: 2,
  maximumIntervalMs: 3,
  attemptTimeoutMs: 60_000,
  heartbeatTimeoutMs: 10_000,
  roundMs: 60_000,
  firstPauseMs: 60_000,
  maximumPauseMs: 60_000,
};

let sealed: SealedToken;
beforeAll(async () => {
  sealed = await sealer.seal('CANARY-token', FACTS, OWN_ID);
});

type Deliver = Sink['deliver'];

/** One attempt, and what sinks were sent in it. */
function run(
  token: unknown,
  sinkName: unknown = 'drop',
  {
    env = attemptIn(),
    deliver = () => Promise.resolve('file x'),
  }: {
    env?: ReturnType<typeof attemptIn>;
    deliver?: Deliver;
  } = {},
) {
  const deliveries: Delivery[] = [];
  const sink: Sink = {
    deliver(delivery, signal) {
      deliveries.push(delivery);
      return deliver(delivery, signal);
    },
  };
  const sinks = new Map([
    ['drop', sink],
    ['secret', sink],
  ]);
  const activity = deliverLinkTokenActivity(sealer, sinks, organizations, PLAN) as (
    ...args: unknown[]
  ) => Promise<unknown>;
  return { deliveries, result: env.run(activity, token, sinkName) };
}

describe('a sealed token', () => {
  it('goes to the sink as it was sealed, and the receipt says everything but the token', async () => {
    const { deliveries, result } = run(sealed);
    const { jwe: _, ...facts } = sealed;
    expect(await result).toEqual({
      ...facts,
      sink: 'drop',
      location: 'file x',
      deliveredAt: expect.stringMatching(/^\d{4}-.*Z$/) as unknown,
    });
    const { accessListIps: _a, credential: _c, warnings: _w, unconfirmedTokens: _u, ...given } = facts;
    expect(deliveries).toEqual([{ ...given, token: 'CANARY-token' }]);
  });
});

describe('nothing that comes from the namespace is trusted: no sink gets anything', () => {
  it.each(FOREIGN_CALLERS)('%s', async (_what, info) => {
    const workflowId = info.workflowExecution?.workflowId ?? OWN_ID;
    // Sealed for the caller's run, as far as there is one, so that the seal alone does not stop it.
    const token = await sealer.seal('CANARY-token', FACTS, workflowId);
    const { deliveries, result } = run(token, 'drop', { env: attemptIn(info) });
    expect(await failureOf(result)).toMatchObject({
      type: info.workflowExecution || info.workflowType ? 'InvalidRequest' : 'SealedTokenUnreadable',
      nonRetryable: true,
    });
    expect(deliveries).toEqual([]);
  });

  it('a token that was sealed for another run', async () => {
    const token = await sealer.seal('CANARY-token', FACTS, workflowIdFor(ORG));
    const { deliveries, result } = run(token);
    expect(await failureOf(result)).toMatchObject({ type: 'SealedTokenUnreadable', nonRetryable: true });
    expect(deliveries).toEqual([]);
  });

  it.each<[what: string, token: () => unknown, sink: unknown]>([
    ['no token', () => undefined, 'drop'],
    ['an empty object', () => ({}), 'drop'],
    ['a source organization with a path', () => ({ ...sealed, sourceOrgId: '/../../evil/PWNED' }), 'drop'],
    ['a JWE of more than a megabyte', () => ({ ...sealed, jwe: 'x'.repeat(1024 * 1024 + 1) }), 'drop'],
    ['no sink', () => sealed, null],
    ['a sink that is no text', () => sealed, { name: 'drop' }],
  ])('%s', async (_what, token, sink) => {
    const { deliveries, result } = run(token(), sink);
    expect(await refusedFields(result)).not.toEqual([]);
    expect(deliveries).toEqual([]);
  });

  it('a sink that is not permitted for the organization', async () => {
    const { deliveries, result } = run(sealed, 'secret');
    expect(await failureOf(result)).toMatchObject({
      type: 'SinkRejected',
      nonRetryable: true,
      message: expect.stringContaining(`secret is not permitted for organization ${ORG}`) as unknown,
      details: [{ tokenMayBeThere: false }],
    });
    expect(deliveries).toEqual([]);
  });
});

describe('what another worker may have, after its restart, is retried', () => {
  it('a sink that this worker lacks', async () => {
    expect(await failureOf(run(sealed, 'down').result)).toMatchObject({
      type: 'SinkUnavailable',
      nonRetryable: false,
      details: [{ tokenMayBeThere: false }],
    });
  });

  it('a key that this worker lacks', async () => {
    const token = await newSealer().seal('CANARY-token', FACTS, OWN_ID);
    expect(await failureOf(run(token).result)).toMatchObject({
      type: 'SealedTokenUnreadable',
      nonRetryable: false,
      details: [{ tokenMayBeThere: false }],
    });
  });
});

describe('whether the sink may have the token', () => {
  const notSent = () => Promise.reject(new SinkUnavailableError('down', { tokenMayBeThere: false }));
  const sent = () => Promise.reject(new SinkRejectedError('no', { tokenMayBeThere: true }));
  const retried: Partial<Info> = { attempt: 2 };
  /** `temporal activity reset` sets the attempt number back, but not the time of the first schedule. */
  const reset: Partial<Info> = { attempt: 1, scheduledTimestampMs: Date.now() - 5000 };

  it.each<[what: string, info: Partial<Info>, deliver: Deliver, tokenMayBeThere: boolean]>([
    ['not, when the first attempt did not send it', {}, notSent, false],
    ['yes, when the sink was sent it', {}, sent, true],
    ['yes, after an earlier attempt', retried, notSent, true],
    ['yes, after an attempt before a reset', reset, notSent, true],
  ])('%s', async (_what, info, deliver, tokenMayBeThere) => {
    const failure = await failureOf(run(sealed, 'drop', { env: attemptIn(info), deliver }).result);
    expect(failure.details).toEqual([{ tokenMayBeThere }]);
  });
});

test('a cancelled attempt stops and says nothing of the sink', async () => {
  const env = attemptIn();
  const deliver: Deliver = (_delivery, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new SinkUnavailableError('stopped')));
      env.cancel();
    });
  expect(await failureOf(run(sealed, 'drop', { env, deliver }).result)).toBeInstanceOf(CancelledFailure);
});

test.each<[what: string, details: object]>([
  ['of a worker that stops', { workerShutdown: true }],
  ['that an operator pauses', { paused: true }],
  ['that an operator resets', { reset: true }],
])('an attempt %s is followed by another, and says so', async (_what, details) => {
  const env = attemptIn();
  const deliver: Deliver = (_delivery, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      env.cancel('CANCELLED', details as never);
    });
  expect(await failureOf(run(sealed, 'drop', { env, deliver }).result)).toMatchObject({
    type: 'SinkUnavailable',
    nonRetryable: false,
    message: 'the attempt was stopped before the sink had confirmed the token; another follows',
    details: [{ tokenMayBeThere: true }],
  });
});

test('an attempt that would be followed by another after the end of the round ends it', async () => {
  const env = attemptIn({ scheduledTimestampMs: Date.now() - 60_000, scheduleToCloseTimeoutMs: 60_000 });
  const deliver = () => Promise.reject(new SinkUnavailableError('down'));
  expect(await failureOf(run(sealed, 'drop', { env, deliver }).result)).toMatchObject({
    type: 'SinkUnavailable',
    nonRetryable: true,
  });
});
