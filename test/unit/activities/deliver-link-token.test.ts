import type { Info } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { deliverLinkTokenActivity } from '../../../src/activities/deliver-link-token';
import { MAX_JWE_LENGTH } from '../../../src/contract/limits';
import { workflowIdFor } from '../../../src/contract/names';
import type { SealedToken } from '../../../src/contract/schemas';
import { SinkRejectedError, SinkUnavailableError, type Sink } from '../../../src/sinks/sink';
import {
  FOREIGN_CALLERS,
  ORG,
  OWN_ID,
  PLAN,
  SOURCE_ORG,
  attemptIn,
  failureOf,
  organizations,
  refusedFields,
  sealer,
  type Untyped,
} from './attempt';

const FACTS = {
  ...{ orgId: ORG, sourceOrgId: SOURCE_ORG, accessListIps: ['192.31.196.7'], credential: 'acme' },
  ...{ warnings: ['a warning'], requestedBy: 'Ada', changeReference: 'CHG-1', unconfirmedTokens: 2 },
};
const ROUND = { roundMs: 60_000, firstPauseMs: 60_000, maximumPauseMs: 60_000 };

const seal = (workflowId: string, facts: object = {}) =>
  sealer.seal('CANARY-token', { ...FACTS, ...facts }, workflowId);
let sealed: SealedToken;
beforeAll(async () => void (sealed = await seal(OWN_ID)));

type Deliver = Sink['deliver'];
const confirmed: Deliver = () => Promise.resolve('file x');

/** One attempt, and what sinks were sent in it. */
function run(token: unknown, sinkName: unknown = 'drop', env = attemptIn(), respond = confirmed) {
  const deliver = jest.fn<Promise<string>, Parameters<Deliver>>(respond);
  const sinks = new Map<string, Sink>([
    ['drop', { deliver }],
    ['secret', { deliver }],
    ['source', { deliver, needsSourceOrgId: true }],
  ]);
  const activity = deliverLinkTokenActivity(sealer, sinks, organizations, { ...PLAN, ...ROUND }) as Untyped;
  return { deliver, result: env.run(activity, token, sinkName) };
}

async function runWithoutDelivery(...args: Parameters<typeof run>): Promise<void> {
  const { deliver, result } = run(...args);
  await result.finally(() => expect(deliver).not.toHaveBeenCalled());
}

test('a sealed token goes to the sink as it was sealed, and the receipt says everything but the token', async () => {
  const { deliver, result } = run(sealed);
  const { jwe: _, ...facts } = sealed;
  const deliveredAt = expect.stringMatching(/^\d{4}-.*Z$/);
  expect(await result).toEqual({ ...facts, sink: 'drop', location: 'file x', deliveredAt });
  const { accessListIps: _a, credential: _c, warnings: _w, unconfirmedTokens: _u, ...given } = facts;
  expect(deliver.mock.calls).toEqual([[{ ...given, token: 'CANARY-token' }, expect.any(AbortSignal)]]);
});

describe('nothing that comes from the namespace is trusted: no sink gets anything', () => {
  it.each(FOREIGN_CALLERS)('%s', async (_what, info) => {
    // Sealed for the caller's run, as far as there is one, so that the seal alone does not stop it.
    const token = await seal(info.workflowExecution?.workflowId ?? OWN_ID);
    const type = info.workflowExecution || info.workflowType ? 'InvalidRequest' : 'SealedTokenUnreadable';
    const failure = await failureOf(runWithoutDelivery(token, 'drop', attemptIn(info)));
    expect(failure).toMatchObject({ type, nonRetryable: true });
  });

  it.each<[what: string, token: () => unknown, sink: unknown]>([
    ['a JWE that is too large', () => ({ jwe: 'x'.repeat(MAX_JWE_LENGTH + 1) }), 'drop'],
    ['a sink that is no text', () => sealed, { name: 'drop' }],
  ])('%s', async (_what, token, sink) => {
    expect(await refusedFields(runWithoutDelivery(token(), sink))).toHaveLength(1);
  });

  it.each<[what: string, sink: string, sourceOrgId: string | null, message: string]>([
    ['is not permitted', 'secret', SOURCE_ORG, `secret is not permitted for organization ${ORG}`],
    ['lacks its source', 'source', null, 'the request named none: redeliver to another sink'],
  ])('a sink for which the organization %s', async (_what, sink, sourceOrgId, message) => {
    const workflowId = workflowIdFor(ORG, sourceOrgId);
    const token = await seal(workflowId, { sourceOrgId });
    const env = attemptIn({ workflowExecution: { workflowId, runId: 'run' } });
    const failure = await failureOf(runWithoutDelivery(token, sink, env));
    expect(failure).toMatchObject({ type: 'SinkRejected', nonRetryable: true });
    expect(failure.message).toContain(message);
    expect(failure.details).toEqual([{ sinkTried: false }]);
  });
});

describe('whether the sink was tried', () => {
  /** `temporal activity reset` sets the attempt number back, but not the time of the first schedule. */
  const reset: Partial<Info> = { attempt: 1, scheduledTimestampMs: Date.now() - 5000 };
  const absent = { type: 'SinkUnavailable', nonRetryable: false };

  it.each<[what: string, info: Partial<Info>, sink: string, sinkTried: boolean, failure: object]>([
    ['no, when the only attempt found no such sink', {}, 'down', false, absent],
    ['yes, when it called the sink', {}, 'drop', true, { type: 'SinkRejected', nonRetryable: true }],
    ['yes, after an earlier attempt', { attempt: 2 }, 'down', true, absent],
    ['yes, after an attempt before a reset', reset, 'down', true, absent],
  ])('%s', async (_what, info, sink, sinkTried, failure) => {
    const rejects = () => Promise.reject(new SinkRejectedError('no'));
    const { result } = run(sealed, sink, attemptIn(info), rejects);
    expect(await failureOf(result)).toMatchObject({ ...failure, details: [{ sinkTried }] });
  });
});

describe('an attempt that is stopped while the sink has the token', () => {
  function stopped(details: object) {
    const env = attemptIn();
    const deliver: Deliver = (_delivery, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
        env.cancel('CANCELLED', details as never);
      });
    return failureOf(run(sealed, 'drop', env, deliver).result);
  }

  it('since it is cancelled says nothing of the sink', async () => {
    expect(await stopped({ cancelRequested: true })).toBeInstanceOf(CancelledFailure);
  });

  const OTHER_REASONS = [{ workerShutdown: true }, { paused: true }, { reset: true }];
  it.each(OTHER_REASONS)('since %j is followed by another', async (details) => {
    const retried = { type: 'SinkUnavailable', nonRetryable: false, details: [{ sinkTried: true }] };
    expect(await stopped(details)).toMatchObject(retried);
  });
});

test('an attempt that would be followed by another after the end of the round ends it', async () => {
  const env = attemptIn({ scheduledTimestampMs: Date.now() - 60_000, scheduleToCloseTimeoutMs: 60_000 });
  const { result } = run(sealed, 'drop', env, () => Promise.reject(new SinkUnavailableError('down')));
  expect(await failureOf(result)).toMatchObject({ type: 'SinkUnavailable', nonRetryable: true });
});
