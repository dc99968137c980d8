import { ActivityFailure, CancelledFailure, TimeoutFailure } from '@temporalio/common';
import fc from 'fast-check';
import { creationFailure, deliveryFailure } from '../../../src/activities/failures';
import { parseFailure, type AttemptFailure } from '../../../src/workflows/activity-results';
import { decideCreation, decideDelivery, isTooLate, type RoundPace } from '../../../src/workflows/decisions';

const HOUR_MS = 3_600_000;
const BACKOFF = { initialIntervalMs: 1000, backoffCoefficient: 2, maximumIntervalMs: 60_000 };
/** A failed property names the seed that repeats it; `SEED` sets it. */
const RUNS = { numRuns: 5000, seed: Number(process.env['SEED'] ?? Date.now() % 2 ** 31) };

let nowMs = 0;
beforeAll(() => {
  console.info(`random sequences: SEED=${RUNS.seed}`);
  jest.spyOn(Date, 'now').mockImplementation(() => nowMs);
});
afterAll(() => void jest.restoreAllMocks());

/** A failure as Temporal gives it to the workflow. */
const failureOfActivity = (cause: Error): AttemptFailure =>
  parseFailure(new ActivityFailure('failed', 'activity', '1', 'NON_RETRYABLE_FAILURE', undefined, cause));
const cancelled = () => failureOfActivity(new CancelledFailure('cancelled'));
const lost = () =>
  failureOfActivity(new TimeoutFailure('activity Heartbeat timeout', undefined, 'HEARTBEAT'));

/** The number of unconfirmed tokens that a run counts, and of the attempts that may have created one. */
interface Counts {
  counted: number;
  uncertain: number;
}

describe('random attempts to create, with a cancel at a random time', () => {
  type Type = 'AtlasUnavailable' | 'AtlasRequestRejected' | 'AtlasResponseInvalid' | 'TokenLost';
  const atlas = (type: Type, tokenMayExist: boolean) => ({
    ...{ type, message: type, details: {}, retryable: type === 'AtlasUnavailable' },
    tokenMayExist,
  });
  const OUTCOMES = {
    token: atlas('AtlasUnavailable', true),
    notCreated: atlas('AtlasUnavailable', false),
    unconfirmed: atlas('AtlasUnavailable', true),
    lost: atlas('AtlasUnavailable', true),
    rejected: atlas('AtlasRequestRejected', false),
    invalid: atlas('AtlasResponseInvalid', true),
    notSent: atlas('AtlasResponseInvalid', false),
    tokenLost: atlas('TokenLost', true),
  };
  type Outcome = keyof typeof OUTCOMES;

  const attempts = fc.array(
    fc.record({
      outcome: fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom<Outcome>('notCreated', 'unconfirmed', 'lost') },
        { weight: 1, arbitrary: fc.constantFrom(...(Object.keys(OUTCOMES) as Outcome[])) },
      ),
      durationMs: fc.nat(130_000),
      retryAfterMs: fc.option(fc.nat(HOUR_MS), { nil: undefined }),
    }),
    { maxLength: 30 },
  );
  type Attempt = typeof attempts extends fc.Arbitrary<(infer T)[]> ? T : never;
  const CREATES: Attempt = { outcome: 'token', durationMs: 100, retryAfterMs: undefined };

  /** One activity with the retries that Temporal makes of it; null when it returns a token. */
  function runActivity(left: Attempt[], firstAttempt: number, cancelAtMs: number, counts: Counts) {
    for (let attempt = firstAttempt; ; attempt += 1) {
      const { outcome, durationMs, retryAfterMs } = left.shift() ?? CREATES;
      const timing = { backoff: BACKOFF, attempt, deadlineAtMs: HOUR_MS };
      const isLate = nowMs >= HOUR_MS;
      nowMs += durationMs;
      if (isLate)
        return failureOfActivity(creationFailure({ ...OUTCOMES.notCreated, retryable: false }, timing));
      if (outcome === 'token') return null;
      if (OUTCOMES[outcome].tokenMayExist) counts.uncertain += 1;
      if (outcome === 'lost') return lost();
      const failure = creationFailure({ ...OUTCOMES[outcome], retryAfterMs }, timing);
      if (failure.nonRetryable || nowMs >= cancelAtMs) return failureOfActivity(failure);
      nowMs = Math.min(nowMs + Number(failure.nextRetryDelay), cancelAtMs);
      if (nowMs === cancelAtMs) return cancelled();
    }
  }

  /** The loop that creates, with a clock of its own and Temporal's retries. */
  function runCreation(left: Attempt[], cancelAtMs: number): Counts {
    nowMs = 0;
    const counts = { counted: 0, uncertain: 0 };
    let previous: AttemptFailure | null = null;
    for (let activityNumber = 1; ; activityNumber += 1) {
      const startedLate = nowMs >= HOUR_MS;
      if (previous && isTooLate(previous, nowMs, HOUR_MS)) return counts;
      expect(nowMs).toBeLessThan(cancelAtMs);
      if (startedLate) expect(previous?.how).toBe('lost');

      const failure = runActivity(left, activityNumber, cancelAtMs, counts);
      if (failure === null) return counts;
      const isCancelled = nowMs >= cancelAtMs;
      if (failure.tokenMayExist && !(failure.how === 'cancelled' && isCancelled)) counts.counted += 1;
      const situation = { activityNumber, isCancelled, startedLate, previous, nowMs, deadlineAtMs: HOUR_MS };
      const decision = decideCreation(failure, situation, BACKOFF);
      if (isCancelled) expect(decision.next).not.toBe('wait');
      if (decision.next !== 'wait' || nowMs + decision.waitMs >= cancelAtMs) return counts;
      expect(decision.waitMs).toBeGreaterThanOrEqual(failure.retryAfterMs ?? 1);
      nowMs += decision.waitMs;
      previous = failure;
    }
  }

  it('count each token that may have been created, begin no attempt after the cancel, and end', () => {
    const cancelTimes = fc.option(fc.integer({ min: 1, max: 2 * HOUR_MS }), { nil: Infinity });
    fc.assert(
      fc.property(attempts, cancelTimes, (given, cancelAtMs) => {
        const { counted, uncertain } = runCreation([...given], cancelAtMs);
        expect(counted).toBe(uncertain);
      }),
      RUNS,
    );
  });
});

describe('random attempts to deliver, redeliveries and cancels', () => {
  const PLAN = { ...BACKOFF, maximumPauseMs: 6 * HOUR_MS };
  const SINKS = ['own', 'second', 'third'] as const;
  const OUTCOMES = ['stored', 'rejected', 'away', 'notCalled', 'lost'] as const;
  const disturbance = fc.oneof(
    { weight: 5, arbitrary: fc.constant(null) },
    { weight: 4, arbitrary: fc.constantFrom(...SINKS) },
    { weight: 1, arbitrary: fc.constant('cancel' as const) },
  );

  /** An attempt, a redelivery or a cancel during it, which stops it if it comes in time, and one after it. */
  const step = fc.record({
    outcome: fc.oneof(
      { weight: 1, arbitrary: fc.constant('stored' as const) },
      { weight: 6, arbitrary: fc.constantFrom(...OUTCOMES) },
    ),
    during: disturbance,
    stops: fc.boolean(),
    after: disturbance,
    retryAfterMs: fc.option(fc.nat(24 * HOUR_MS), { nil: undefined }),
    random: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
  const quiet = { during: null, stops: false, after: null, retryAfterMs: undefined, random: 0 };
  const STORES: Step = { outcome: 'stored', ...quiet };

  function failAttempt({ outcome, retryAfterMs, during, stops }: Step): AttemptFailure {
    if (during && stops) return cancelled();
    if (outcome === 'lost') return lost();
    const retryable = outcome === 'away';
    const type = retryable ? 'SinkUnavailable' : 'SinkRejected';
    const timing = { backoff: BACKOFF, attempt: 1, deadlineAtMs: nowMs };
    const failed = { type, message: outcome, retryable, retryAfterMs } as const;
    return failureOfActivity(deliveryFailure(failed, timing, outcome !== 'notCalled'));
  }

  /** The loop that delivers; every step is one attempt. Returns the sinks that were called, and those named. */
  function runDelivery(steps: readonly Step[]) {
    nowMs = 0;
    const called = new Set<string>();
    const named = new Set<string>();
    let redelivery: string | null = null;
    let pace: RoundPace = { pauseMs: 60_000, nextRoundAtMs: 0 };
    let isCancelled = false;
    for (let attempts = 0; ; attempts += 1) {
      const current = steps[attempts] ?? STORES;
      const { outcome, during, stops, after } = current;
      const sink: string = redelivery ?? 'own';
      nowMs += 1000;
      if (outcome === 'stored' && !(during && stops)) {
        called.delete(sink);
        return { called, named };
      }
      if (outcome !== 'notCalled') called.add(sink);
      if (during === 'cancel') isCancelled = true;
      const isSuperseded = during !== null && during !== 'cancel' && redelivery === null;

      const failure = failAttempt(current);
      if (failure.sinkTried) named.add(sink);
      const kind = redelivery === null ? 'round' : 'redelivery';
      const situation = { kind, isCancelled, isSuperseded, isElsewhere: sink !== 'own', nowMs } as const;
      const decision = decideDelivery(failure, situation, pace, PLAN, current.random);
      if (isCancelled) expect(decision.next).toBe('cancelled');
      if (decision.next === 'cancelled') return { called, named };
      if (decision.next === 'redeliver') {
        expect(isSuperseded).toBe(true);
        redelivery = during;
        continue;
      }
      const requestedMs = situation.isElsewhere ? 0 : (failure.retryAfterMs ?? 0);
      if (kind === 'round') expectNextRound(decision, pace.pauseMs, requestedMs);
      else expectPlannedRound(decision, pace, requestedMs);
      pace = decision;
      if (after === 'cancel') return { called, named };
      redelivery = after;
      if (after === null) nowMs = Math.max(nowMs, pace.nextRoundAtMs);
    }
  }

  /** A failed redelivery postpones the round that is planned only for as long as the sink requested. */
  function expectPlannedRound(next: RoundPace, { pauseMs, nextRoundAtMs }: RoundPace, requestedMs: number) {
    const { pauseMs: nextPauseMs, nextRoundAtMs: nextAtMs } = next;
    expect([nextPauseMs, nextAtMs]).toEqual([pauseMs, Math.max(nextRoundAtMs, nowMs + requestedMs)]);
  }

  /** Pauses double up to the maximum, each up to a fifth shorter. */
  function expectNextRound(next: RoundPace, pauseMs: number, requestedMs: number) {
    expect(next.pauseMs).toBe(Math.min(2 * pauseMs, PLAN.maximumPauseMs));
    const waitMs = next.nextRoundAtMs - nowMs;
    expect(waitMs).toBeGreaterThanOrEqual(Math.max(requestedMs, 0.8 * pauseMs - 1));
    expect(waitMs).toBeLessThanOrEqual(Math.max(requestedMs, pauseMs));
  }

  it('name each sink that was called, keep the pace of the rounds, and end after a cancel', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const { called, named } = runDelivery(steps);
        for (const sink of called) expect(named).toContain(sink);
      }),
      RUNS,
    );
  });
});
