import { ApplicationFailure } from '@temporalio/common';
import fc from 'fast-check';
import { failureOf, invalidRequest, nextRetryDelayMs, type Attempt } from '../../src/activities/failures';
import type { Verdict } from '../../src/activities/verdict';

const VERDICT: Verdict = {
  type: 'AtlasUnavailable',
  retryable: true,
  perhapsMinted: true,
  message: 'Atlas answered 500',
  details: { status: 500, errorCode: 'UNEXPECTED_ERROR' },
};

function attemptOf(change: Partial<Attempt> = {}): Attempt {
  return {
    attempt: 3,
    retryPolicy: { initialInterval: 1000, backoffCoefficient: 2, maximumInterval: 60_000 },
    scheduledTimestampMs: Date.now(),
    scheduleToCloseTimeoutMs: 3_600_000,
    ...change,
  };
}

const settings = fc
  .record({
    initialIntervalMs: fc.integer({ min: 1, max: 600_000 }),
    backoffCoefficient: fc.double({ min: 1, max: 100, noNaN: true }),
    maximumIntervalMs: fc.integer({ min: 1, max: 86_400_000 }),
  })
  .filter(({ initialIntervalMs, maximumIntervalMs }) => initialIntervalMs <= maximumIntervalMs);
const attemptNumber = fc.integer({ min: 1, max: 100_000 });

describe('nextRetryDelayMs', () => {
  it('is, without a wait that was asked for, from half the backoff to the backoff, never above the longest', () => {
    fc.assert(
      fc.property(settings, attemptNumber, (retry, attempt) => {
        const delayMs = nextRetryDelayMs(retry, attempt);
        const backoffMs = Math.min(
          retry.initialIntervalMs * retry.backoffCoefficient ** (attempt - 1),
          retry.maximumIntervalMs,
        );
        expect(Number.isSafeInteger(delayMs)).toBe(true);
        expect(delayMs).toBeGreaterThanOrEqual(Math.floor(backoffMs / 2));
        expect(delayMs).toBeLessThanOrEqual(Math.min(Math.ceil(backoffMs), retry.maximumIntervalMs));
      }),
    );
  });

  it('never shortens a wait that was asked for, and adds at most the backoff to it', () => {
    fc.assert(
      fc.property(settings, attemptNumber, fc.nat(1_000_000_000), (retry, attempt, retryAfterMs) => {
        const delayMs = nextRetryDelayMs(retry, attempt, retryAfterMs);
        expect(delayMs).toBeGreaterThanOrEqual(retryAfterMs);
        expect(delayMs).toBeLessThanOrEqual(retryAfterMs + retry.maximumIntervalMs);
      }),
    );
  });

  it('differs from one attempt to the next, so that attempts do not march in step', () => {
    const retry = { initialIntervalMs: 10_000, backoffCoefficient: 1, maximumIntervalMs: 10_000 };
    const delays = Array.from({ length: 50 }, () => nextRetryDelayMs(retry, 1));
    const waits = Array.from({ length: 50 }, () => nextRetryDelayMs(retry, 1, 5000));
    expect(new Set(delays).size).toBeGreaterThan(10);
    expect(new Set(waits).size).toBeGreaterThan(10);
  });
});

describe('failureOf', () => {
  it('tells Temporal to retry, when, and what is known', () => {
    const failure = failureOf(VERDICT, 2, attemptOf());
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({
      type: 'AtlasUnavailable',
      message: 'Atlas answered 500',
      nonRetryable: false,
      details: [{ status: 500, errorCode: 'UNEXPECTED_ERROR', unconfirmedTokens: 2 }],
    });
    expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(2000);
    expect(failure.nextRetryDelay).toBeLessThanOrEqual(4000);
    expect(failure.cause).toBeUndefined();
  });

  it('waits as long as it was asked to', () => {
    const failure = failureOf({ ...VERDICT, retryAfterMs: 600_000 }, 0, attemptOf());
    expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(600_000);
  });

  it('ends the retries of a terminal verdict', () => {
    const failure = failureOf({ ...VERDICT, type: 'TokenLost', retryable: false }, 1, attemptOf());
    expect(failure).toMatchObject({ type: 'TokenLost', nonRetryable: true, message: 'Atlas answered 500' });
    expect(failure.nextRetryDelay).toBeUndefined();
  });

  it.each([
    ['the wait that was asked for', { retryAfterMs: 3_600_000 }, {}],
    ['a wait that no clock holds', { retryAfterMs: 1e30 }, {}],
    ['the backoff', {}, { scheduledTimestampMs: Date.now() - 3_599_500 }],
    ['a give-up time that has gone by', {}, { scheduledTimestampMs: Date.now() - 7_200_000 }],
  ])(
    'gives up at once, with type and reason, when %s goes past the give-up time',
    (_what, verdict, attempt) => {
      const failure = failureOf({ ...VERDICT, ...verdict }, 2, attemptOf(attempt));
      expect(failure).toMatchObject({
        type: 'AtlasUnavailable',
        nonRetryable: true,
        message:
          'Atlas answered 500; given up after 3 attempt(s): the next would come after the give-up time',
        details: [{ status: 500, unconfirmedTokens: 2 }],
      });
    },
  );
});

describe('invalidRequest', () => {
  it('has every problem in its details and the first ten in words', () => {
    const problems = Array.from({ length: 11 }, (_, i) => ({ field: `f${i}`, description: 'is wrong' }));
    expect(invalidRequest(problems)).toMatchObject({
      type: 'InvalidRequest',
      nonRetryable: true,
      message: expect.stringMatching(/^the request is not valid: f0 is wrong; .*; and 1 more$/) as unknown,
      details: [{ fields: problems, unconfirmedTokens: 0 }],
    });
  });
});
