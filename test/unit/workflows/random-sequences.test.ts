import { ActivityFailure, ApplicationFailure, CancelledFailure, TimeoutFailure } from '@temporalio/common';
import fc from 'fast-check';
import { creationFailure, deliveryFailure } from '../../../src/activities/failures';
import { parseFailure, type AttemptFailure } from '../../../src/workflows/activity-results';
import { decideCreation, decideDelivery, isTooLate, type RoundPace } from '../../../src/workflows/decisions';

const HOUR_MS = 3_600_000;
const BACKOFF = { initialIntervalMs: 1000, backoffCoefficient: 2, maximumIntervalMs: 60_000 };
/** A failed property names the seed that repeats it; `SEED` sets it. */
const RUNS = {
  numRuns: 5000,
  seed: Number(process.env['SEED'] ?? Date.now() % 2 ** 31),
};

let nowMs = 0;
beforeAll(() => {
  console.info(`random sequences: SEED=${RUNS.seed}`);
  jest.spyOn(Date, 'now').mockImplementation(() => nowMs);
});
afterAll(() => void jest.restoreAllMocks());

/** A failure as Temporal gives it to the workflow. */
function failureOfActivity(cause: Error): AttemptFailure {
  return parseFailure(
    new ActivityFailure('failed', 'activity', '1', 'NON_RETRYABLE_FAILURE', undefined, cause),
  );
}

describe('random attempts to create, with a cancel at a random time', () => {
  const atlas = (
    type: 'AtlasUnavailable' | 'AtlasRequestRejected' | 'AtlasResponseInvalid' | 'TokenLost',
  ) => ({
    type,
    message: type,
    details: {},
    retryable: type === 'AtlasUnavailable',
  });
  /** The outcomes of an attempt, and whether Atlas may create a token in it. */
  const OUTCOMES = {
    token: { ...atlas('AtlasUnavailable'), tokenMayExist: true },
    notCreated: { ...atlas('AtlasUnavailable'), tokenMayExist: false },
    unconfirmed: { ...atlas('AtlasUnavailable'), tokenMayExist: true },
    lost: { ...atlas('AtlasUnavailable'), tokenMayExist: true },
    rejected: { ...atlas('AtlasRequestRejected'), tokenMayExist: false },
    invalid: { ...atlas('AtlasResponseInvalid'), tokenMayExist: true },
    notSent: { ...atlas('AtlasResponseInvalid'), tokenMayExist: false },
    tokenLost: { ...atlas('TokenLost'), tokenMayExist: true },
  };
  type Outcome = keyof typeof OUTCOMES;

  interface Attempt {
    outcome: Outcome;
    /** True: Atlas creates a token where the outcome leaves it open. */
    creates: boolean;
    durationMs: number;
    retryAfterMs: number | undefined;
  }

  const attempt: fc.Arbitrary<Attempt> = fc.record({
    outcome: fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom<Outcome>('notCreated', 'unconfirmed', 'lost') },
      { weight: 1, arbitrary: fc.constantFrom(...(Object.keys(OUTCOMES) as Outcome[])) },
    ),
    creates: fc.boolean(),
    durationMs: fc.nat(130_000),
    retryAfterMs: fc.option(fc.nat(HOUR_MS), { nil: undefined }),
  });

  interface Course {
    ending: 'token' | 'fail' | 'giveUp' | 'cancelled';
    /** Tokens that Atlas created in attempts whose result did not reach the run. */
    unreceived: number;
    counted: number;
    /** Attempts that left open whether they created a token. */
    uncertain: number;
  }

  /** The loop that creates, with a clock of its own and Temporal's retries. */
  function runCreation(attempts: readonly Attempt[], cancelAtMs: number): Course {
    nowMs = 0;
    const course: Course = { ending: 'token', unreceived: 0, counted: 0, uncertain: 0 };
    let previous: AttemptFailure | null = null;
    let used = 0;
    for (let activityNumber = 1; ; activityNumber += 1) {
      const startedLate = nowMs >= HOUR_MS;
      if (previous && isTooLate(previous, nowMs, HOUR_MS)) return { ...course, ending: 'giveUp' };
      expect(nowMs).toBeLessThan(cancelAtMs);
      if (startedLate) expect(previous?.how).toBe('lost');

      const failure = runActivity(activityNumber);
      if (failure === null) return course;
      const isCancelled = nowMs >= cancelAtMs;
      if (failure.tokenMayExist && !(failure.how === 'cancelled' && isCancelled)) course.counted += 1;
      const situation = { activityNumber, isCancelled, startedLate, previous, nowMs, deadlineAtMs: HOUR_MS };
      const decision = decideCreation(failure, situation, BACKOFF);
      if (isCancelled) expect(decision.next).not.toBe('wait');
      if (decision.next !== 'wait') return { ...course, ending: decision.next };
      expect(decision.waitMs).toBeGreaterThanOrEqual(failure.retryAfterMs ?? 1);
      if (nowMs + decision.waitMs >= cancelAtMs) return { ...course, ending: 'cancelled' };
      nowMs += decision.waitMs;
      previous = failure;
    }

    /** One activity with the retries that Temporal makes of it; null when it returns a token. */
    function runActivity(activityNumber: number): AttemptFailure | null {
      for (let number = 1; ; number += 1) {
        const { outcome, creates, durationMs, retryAfterMs } = attempts[used] ?? DELIVERS;
        used += 1;
        const isLate = nowMs >= HOUR_MS;
        nowMs += durationMs;
        if (isLate) {
          const nothing = { ...OUTCOMES.notCreated, retryable: false };
          return failureOfActivity(creationFailure(nothing, timing(activityNumber)));
        }
        if (outcome === 'token') return null;
        const { tokenMayExist } = OUTCOMES[outcome];
        if (tokenMayExist) course.uncertain += 1;
        if (tokenMayExist && creates) course.unreceived += 1;
        if (outcome === 'lost') {
          return failureOfActivity(new TimeoutFailure('activity Heartbeat timeout', undefined, 'HEARTBEAT'));
        }
        const failure = creationFailure(
          { ...OUTCOMES[outcome], retryAfterMs },
          timing(activityNumber - 1 + number),
        );
        if (failure.nonRetryable || nowMs >= cancelAtMs) return failureOfActivity(failure);
        const delayMs = Number(failure.nextRetryDelay);
        if (nowMs + delayMs >= cancelAtMs) {
          nowMs = cancelAtMs;
          return failureOfActivity(new CancelledFailure('cancelled'));
        }
        nowMs += delayMs;
      }
    }
  }

  const DELIVERS: Attempt = { outcome: 'token', creates: true, durationMs: 100, retryAfterMs: undefined };
  const timing = (attemptNumber: number) => ({
    backoff: BACKOFF,
    attempt: attemptNumber,
    deadlineAtMs: HOUR_MS,
  });

  it('count each token that may have been created, begin no attempt after the cancel, and end', () => {
    fc.assert(
      fc.property(
        fc.array(attempt, { maxLength: 30 }),
        fc.option(fc.nat(2 * HOUR_MS), { nil: Infinity }),
        (attempts, cancelAtMs) => {
          fc.pre(cancelAtMs > 0);
          const { unreceived, counted, uncertain } = runCreation(attempts, cancelAtMs);
          expect(counted).toBe(uncertain);
          expect(counted).toBeGreaterThanOrEqual(unreceived);
        },
      ),
      RUNS,
    );
  });
});

describe('random attempts to deliver, redeliveries and cancels', () => {
  const PLAN = { ...BACKOFF, maximumPauseMs: 6 * HOUR_MS };
  const SINKS = ['own', 'second', 'third'] as const;
  const OUTCOMES = ['stored', 'rejected', 'away', 'notCalled', 'lost'] as const;
  const outcome = fc.oneof(
    { weight: 1, arbitrary: fc.constant('stored' as const) },
    { weight: 6, arbitrary: fc.constantFrom(...OUTCOMES) },
  );
  const disturbance = fc.oneof(
    { weight: 5, arbitrary: fc.constant(null) },
    { weight: 4, arbitrary: fc.constantFrom(...SINKS) },
    { weight: 1, arbitrary: fc.constant('cancel' as const) },
  );

  interface Step {
    outcome: (typeof OUTCOMES)[number];
    /** Event during the attempt: nothing, a redelivery to a sink or a cancel. It stops an attempt, if not too late. */
    during: (typeof SINKS)[number] | 'cancel' | null;
    stops: boolean;
    /** Event that ends the pause after it early. */
    after: (typeof SINKS)[number] | 'cancel' | null;
    retryAfterMs: number | undefined;
    random: number;
  }

  const step: fc.Arbitrary<Step> = fc.record({
    outcome,
    during: disturbance,
    stops: fc.boolean(),
    after: disturbance,
    retryAfterMs: fc.option(fc.nat(24 * HOUR_MS), { nil: undefined }),
    random: fc.double({ min: 0, max: 1, noNaN: true }),
  });

  const STORES: Step = {
    outcome: 'stored',
    during: null,
    stops: false,
    after: null,
    retryAfterMs: undefined,
    random: 0,
  };

  function failAttempt({ outcome: ended, retryAfterMs, during, stops }: Step): AttemptFailure {
    if (during && stops) return failureOfActivity(new CancelledFailure('cancelled during delivery'));
    if (ended === 'lost') {
      return failureOfActivity(new TimeoutFailure('activity Heartbeat timeout', undefined, 'HEARTBEAT'));
    }
    const type = ended === 'away' ? 'SinkUnavailable' : 'SinkRejected';
    const timing = { backoff: BACKOFF, attempt: 1, deadlineAtMs: nowMs };
    const failure = deliveryFailure(
      { type, message: ended, retryable: ended === 'away', retryAfterMs },
      timing,
      ended !== 'notCalled',
    );
    expect(failure).toBeInstanceOf(ApplicationFailure);
    return failureOfActivity(failure);
  }

  /** The loop that delivers; every step is one attempt. */
  function runDelivery(steps: readonly Step[]) {
    nowMs = 0;
    const called = new Set<string>();
    const named = new Set<string>();
    let redelivery: string | null = null;
    let pace: RoundPace = { pauseMs: 60_000, nextRoundAtMs: 0 };
    let isCancelled = false;
    for (let attempts = 0; ; attempts += 1) {
      const current = steps[attempts] ?? STORES;
      const sink = redelivery ?? 'own';
      const kind = redelivery === null ? 'round' : 'redelivery';
      nowMs += 1000;
      if (current.outcome !== 'notCalled') called.add(sink);
      if (current.during === 'cancel') isCancelled = true;
      const isSuperseded = current.during !== null && current.during !== 'cancel' && redelivery === null;
      if (current.outcome === 'stored' && !(current.during && current.stops)) {
        named.delete(sink);
        called.delete(sink);
        return { called, named };
      }

      const failure = failAttempt(current);
      if (failure.sinkTried) named.add(sink);
      const isElsewhere = sink !== 'own';
      const situation = { kind, isCancelled, isSuperseded, isElsewhere, nowMs } as const;
      const decision = decideDelivery(failure, situation, pace, PLAN, current.random);
      if (isCancelled) expect(decision.next).toBe('cancelled');
      if (decision.next === 'cancelled') return { called, named };
      if (decision.next === 'redeliver') {
        expect(isSuperseded).toBe(true);
        redelivery = current.during;
        continue;
      }
      expectPace(decision, pace, failure, situation);
      pace = decision;
      redelivery = null;
      if (current.after === 'cancel') return { called, named };
      if (current.after) redelivery = current.after;
      else nowMs = Math.max(nowMs, pace.nextRoundAtMs);
    }
  }

  function expectPace(
    next: RoundPace,
    before: RoundPace,
    { retryAfterMs = 0 }: AttemptFailure,
    { kind, isElsewhere }: { kind: string; isElsewhere: boolean },
  ): void {
    const requestedMs = isElsewhere ? 0 : retryAfterMs;
    if (kind === 'redelivery') {
      expect(next.pauseMs).toBe(before.pauseMs);
      expect(next.nextRoundAtMs).toBe(Math.max(before.nextRoundAtMs, nowMs + requestedMs));
      return;
    }
    expect(next.pauseMs).toBe(Math.min(2 * before.pauseMs, PLAN.maximumPauseMs));
    expect(next.nextRoundAtMs - nowMs).toBeGreaterThanOrEqual(
      Math.max(requestedMs, 0.8 * before.pauseMs - 1),
    );
    expect(next.nextRoundAtMs - nowMs).toBeLessThanOrEqual(Math.max(requestedMs, before.pauseMs));
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
