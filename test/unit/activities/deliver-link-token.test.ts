import type { Info } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { deliverLinkTokenActivity } from '../../../src/activities/deliver-link-token';
import { MAX_JWE_LENGTH } from '../../../src/contract/limits';
import { workflowIdFor } from '../../../src/contract/names';
import type { SealedToken } from '../../../src/contract/schemas';
import { SinkRejectedError, SinkUnavailableError, type Delivery, type Sink } from '../../../src/sinks/sink';
import {
  FOREIGN_CALLERS,
  ORG,
  OWN_ID,
  PLAN,
  SOURCE_ORG,
  attemptIn,
  failureOf,
  newSealer,
  organizations,
  refusedFields,
  sealer,
} from './attempt';

const FACTS = {
  ...{ orgId: ORG, sourceOrgId: SOURCE_ORG, accessListIps: ['192.31.196.7'], credential: 'acme' },
  ...{ warnings: ['a warning'], requestedBy: 'Ada', changeReference: 'CHG-1', unconfirmedTokens: 2 },
};
const ROUND = { roundMs: 60_000, firstPauseMs: 60_000, maximumPauseMs: 60_000 };

const seal = (workflowId: string, by = sealer) => by.seal('CANARY-token', FACTS, workflowId);
let sealed: SealedToken;
beforeAll(async () => void (sealed = await seal(OWN_ID)));

type Deliver = Sink['deliver'];

const confirmed: Deliver = () => Promise.resolve('file x');

/** One attempt, and what sinks were sent in it. */
function run(token: unknown, sinkName: unknown = 'drop', { env = attemptIn(), deliver = confirmed } = {}) {
  const deliveries: Delivery[] = [];
  const sink: Sink = {
    deliver(delivery, signal) {
      deliveries.push(delivery);
      return deliver(delivery, signal);
    },
  };
  const sinks = new Map(
    Object.entries({ drop: sink, secret: sink, source: { ...sink, needsSourceOrgId: true } }),
  );
  const activity = deliverLinkTokenActivity(sealer, sinks, organizations, { ...PLAN, ...ROUND }) as (
    ...args: unknown[]
  ) => Promise<unknown>;
  return {
    deliveries,
    result: env.run(activity, token, sinkName),
  };
}

async function runWithoutDelivery(...args: Parameters<typeof run>): Promise<void> {
  const { deliveries, result } = run(...args);
  await result.finally(() => expect(deliveries).toEqual([]));
}

test('a sealed token goes to the sink as it was sealed, and the receipt says everything but the token', async () => {
  const { deliveries, result } = run(sealed);
  const { jwe: _, ...facts } = sealed;
  const deliveredAt = expect.stringMatching(/^\d{4}-.*Z$/);
  expect(await result).toEqual({ ...facts, sink: 'drop', location: 'file x', deliveredAt });
  const { accessListIps: _a, credential: _c, warnings: _w, unconfirmedTokens: _u, ...given } = facts;
  expect(deliveries).toEqual([{ ...given, token: 'CANARY-token' }]);
});

describe('nothing that comes from the namespace is trusted: no sink gets anything', () => {
  it.each(FOREIGN_CALLERS)('%s', async (_what, info) => {
    // Sealed for the caller's run, as far as there is one, so that the seal alone does not stop it.
    const token = await seal(info.workflowExecution?.workflowId ?? OWN_ID);
    const type = info.workflowExecution || info.workflowType ? 'InvalidRequest' : 'SealedTokenUnreadable';
    const failure = await failureOf(runWithoutDelivery(token, 'drop', { env: attemptIn(info) }));
    expect(failure).toMatchObject({ type, nonRetryable: true });
  });

  it('a token that was sealed for another run', async () => {
    const failure = await failureOf(runWithoutDelivery(await seal(workflowIdFor(ORG))));
    expect(failure).toMatchObject({ type: 'SealedTokenUnreadable', nonRetryable: true });
  });

  it.each<[what: string, token: () => unknown, sink: unknown]>([
    ['no token', () => undefined, 'drop'],
    ['an empty object', () => ({}), 'drop'],
    ['a JWE that is too large', () => ({ jwe: 'x'.repeat(MAX_JWE_LENGTH + 1) }), 'drop'],
    ['no sink', () => sealed, null],
    ['a sink that is no text', () => sealed, { name: 'drop' }],
  ])('%s', async (_what, token, sink) => {
    expect(await refusedFields(runWithoutDelivery(token(), sink))).not.toEqual([]);
  });

  it('a sink that is not permitted for the organization', async () => {
    const failure = await failureOf(runWithoutDelivery(sealed, 'secret'));
    expect(failure).toMatchObject({ type: 'SinkRejected', nonRetryable: true });
    expect(failure.message).toContain(`secret is not permitted for organization ${ORG}`);
    expect(failure.details).toEqual([{ sinkTried: false }]);
  });
});

test('a sink that needs the source organization gets no token without one', async () => {
  const id = workflowIdFor(ORG);
  const token = await sealer.seal('CANARY-token', { ...FACTS, sourceOrgId: null }, id);
  const env = attemptIn({ workflowExecution: { workflowId: id, runId: 'run' } });
  const failure = await failureOf(runWithoutDelivery(token, 'source', { env }));
  expect(failure).toMatchObject({
    type: 'SinkRejected',
    nonRetryable: true,
    details: [{ sinkTried: false }],
  });
  expect(failure.message).toContain('the request named none: redeliver to another sink');
});

test('a sink or a key that this worker lacks is waited for: another may have it', async () => {
  const unreadable = await seal(OWN_ID, newSealer());
  const lacking = [run(sealed, 'down').result, run(unreadable).result];
  const retried = { nonRetryable: false, details: [{ sinkTried: false }] };
  expect(await Promise.all(lacking.map(failureOf))).toMatchObject([
    { type: 'SinkUnavailable', ...retried },
    { type: 'SealedTokenUnreadable', ...retried },
  ]);
});

describe('whether the sink was tried', () => {
  const rejecting = () => Promise.reject(new SinkRejectedError('no'));
  /** `temporal activity reset` sets the attempt number back, but not the time of the first schedule. */
  const reset: Partial<Info> = { attempt: 1, scheduledTimestampMs: Date.now() - 5000 };

  it.each<[what: string, info: Partial<Info>, sink: string, sinkTried: boolean]>([
    ['no, when the only attempt found no such sink', {}, 'down', false],
    ['yes, when it called the sink', {}, 'drop', true],
    ['yes, after an earlier attempt', { attempt: 2 }, 'down', true],
    ['yes, after an attempt before a reset', reset, 'down', true],
  ])('%s', async (_what, info, sink, sinkTried) => {
    const failure = await failureOf(run(sealed, sink, { env: attemptIn(info), deliver: rejecting }).result);
    expect(failure.details).toEqual([{ sinkTried }]);
  });
});

describe('an attempt that is stopped while the sink has the token', () => {
  function stopped(details?: object) {
    const env = attemptIn();
    const deliver: Deliver = (_delivery, signal) =>
      new Promise((_resolve, reject) => {
        const error = new SinkUnavailableError('stopped');
        signal.addEventListener('abort', () => reject(details ? (signal.reason as Error) : error));
        env.cancel('CANCELLED', details as never);
      });
    return failureOf(run(sealed, 'drop', { env, deliver }).result);
  }

  it('since it is cancelled says nothing of the sink', async () => {
    expect(await stopped()).toBeInstanceOf(CancelledFailure);
  });

  it.each([
    ['its worker stops', { workerShutdown: true }],
    ['an operator pauses it', { paused: true }],
    ['an operator resets it', { reset: true }],
  ])('since %s is followed by another, and says so', async (_what, details) => {
    expect(await stopped(details)).toMatchObject({
      type: 'SinkUnavailable',
      nonRetryable: false,
      message: 'the attempt was stopped before the sink had confirmed the token; the run tries again',
      details: [{ sinkTried: true }],
    });
  });
});

test('an attempt that would be followed by another after the end of the round ends it', async () => {
  const env = attemptIn({ scheduledTimestampMs: Date.now() - 60_000, scheduleToCloseTimeoutMs: 60_000 });
  const deliver = () => Promise.reject(new SinkUnavailableError('down'));
  const failure = await failureOf(run(sealed, 'drop', { env, deliver }).result);
  expect(failure).toMatchObject({ type: 'SinkUnavailable', nonRetryable: true });
});
