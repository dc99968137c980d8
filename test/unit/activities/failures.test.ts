import { ApplicationFailure } from '@temporalio/common';
import {
  creationFailure,
  deliveryFailure,
  invalidRequest,
  type DeliveryOutcome,
  type RetryTiming,
} from '../../../src/activities/failures';
import type { AtlasOutcome } from '../../../src/atlas/outcomes';

const HOUR_MS = 3_600_000;

function timing(change: Partial<RetryTiming> = {}): RetryTiming {
  return {
    plan: { initialIntervalMs: 1000, backoffCoefficient: 2, maximumIntervalMs: 60_000 },
    attempt: 3,
    deadlineAtMs: Date.now() + HOUR_MS,
    ...change,
  };
}

/** Waits that go past a deadline, with the time that is left. */
const TOO_LATE: [what: string, wait: { retryAfterMs?: number }, leftMs: number][] = [
  ['the wait that the server asked for', { retryAfterMs: HOUR_MS }, HOUR_MS],
  ['a wait that no clock holds', { retryAfterMs: 1e30 }, HOUR_MS],
  ['the backoff', {}, 500],
  ['a deadline that has passed', {}, -HOUR_MS],
];

describe('the failure of a creation attempt', () => {
  const outcome: AtlasOutcome = {
    type: 'AtlasUnavailable',
    retryable: true,
    tokenMayExist: false,
    message: 'Atlas returned 429',
    details: { status: 429, errorCode: 'RATE_LIMITED' },
  };

  it('that created nothing is retried by Temporal, after the backoff', () => {
    const failure = creationFailure(outcome, timing());
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({
      type: 'AtlasUnavailable',
      message: 'Atlas returned 429',
      nonRetryable: false,
      details: [{ status: 429, errorCode: 'RATE_LIMITED' }],
    });
    expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(2000);
    expect(failure.nextRetryDelay).toBeLessThanOrEqual(4000);
    expect(failure.cause).toBeUndefined();
  });

  it('is retried no earlier than Atlas asked for', () => {
    const failure = creationFailure({ ...outcome, retryAfterMs: 600_000 }, timing());
    expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(600_000);
  });

  it('that the circuit breaker rejected is retried at the pace of the probes, not of its own attempts', () => {
    const rejected = { ...outcome, retryAfterMs: 5000, attempt: 1 };
    const failure = creationFailure(rejected, timing({ attempt: 9 }));
    expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(5000);
    expect(failure.nextRetryDelay).toBeLessThanOrEqual(6000);
  });

  it.each([[undefined], [7000]])(
    'that may have created a token goes to the workflow, with the wait that Atlas asked for: %s',
    (retryAfterMs) => {
      const failure = creationFailure({ ...outcome, tokenMayExist: true, retryAfterMs }, timing());
      expect(failure).toMatchObject({
        type: 'TokenUnconfirmed',
        nonRetryable: true,
        message: 'Atlas returned 429',
      });
      expect(failure.details).toEqual([
        { status: 429, errorCode: 'RATE_LIMITED', ...(retryAfterMs && { retryAfterMs }) },
      ]);
      expect(failure.nextRetryDelay).toBeUndefined();
    },
  );

  it.each([
    ['TokenLost', true, {}],
    ['AtlasResponseInvalid', true, {}],
    ['AtlasResponseInvalid', false, { tokenMayExist: false }],
    ['AtlasRequestRejected', false, { tokenMayExist: false }],
  ] as const)(
    'that no retry helps keeps its type and says when nothing was created: %s, token may exist %s',
    (type, tokenMayExist, more) => {
      const failure = creationFailure({ ...outcome, type, retryable: false, tokenMayExist }, timing());
      expect(failure).toMatchObject({ type, nonRetryable: true, message: 'Atlas returned 429' });
      expect(failure.details).toEqual([{ status: 429, errorCode: 'RATE_LIMITED', ...more }]);
    },
  );

  it.each(TOO_LATE)(
    'ends creation at once, with its type and message, when %s goes past the deadline',
    (_what, wait, leftMs) => {
      const failure = creationFailure({ ...outcome, ...wait }, timing({ deadlineAtMs: Date.now() + leftMs }));
      expect(failure).toMatchObject({
        type: 'AtlasUnavailable',
        nonRetryable: true,
        message: 'gave up: the retry deadline passes before the next attempt; last error: Atlas returned 429',
        details: [{ status: 429, errorCode: 'RATE_LIMITED' }],
      });
    },
  );
});

describe('the failure of a delivery attempt', () => {
  const outcome: DeliveryOutcome = {
    type: 'SinkUnavailable',
    retryable: true,
    message: 'the sink is down',
    tokenMayBeThere: true,
  };

  it('is retried by Temporal after the backoff, and says whether the token may be there', () => {
    const failure = deliveryFailure(outcome, timing());
    expect(failure).toMatchObject({
      type: 'SinkUnavailable',
      message: 'the sink is down',
      nonRetryable: false,
    });
    expect(failure.details).toEqual([{ tokenMayBeThere: true }]);
    expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(2000);
    expect(failure.nextRetryDelay).toBeLessThanOrEqual(4000);
  });

  it('is retried no earlier than the sink asked for', () => {
    const failure = deliveryFailure({ ...outcome, retryAfterMs: 600_000 }, timing());
    expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(600_000);
  });

  it('that no retry helps ends the round', () => {
    const failure = deliveryFailure(
      { ...outcome, type: 'SinkRejected', retryable: false, tokenMayBeThere: false },
      timing(),
    );
    expect(failure).toMatchObject({ type: 'SinkRejected', nonRetryable: true });
    expect(failure.details).toEqual([{ tokenMayBeThere: false }]);
  });

  it.each(TOO_LATE)(
    'ends the round at once, and hands the wait on, when %s goes past its end',
    (_what, wait, leftMs) => {
      const failure = deliveryFailure({ ...outcome, ...wait }, timing({ deadlineAtMs: Date.now() + leftMs }));
      expect(failure).toMatchObject({
        type: 'SinkUnavailable',
        nonRetryable: true,
        message: 'the sink is down',
      });
      expect(failure.details).toEqual([{ tokenMayBeThere: true, ...wait }]);
    },
  );
});

test('the failure of an invalid request has every problem in its details', () => {
  const problems = Array.from({ length: 11 }, (_, i) => ({ field: `f${i}`, description: 'is wrong' }));
  expect(invalidRequest(problems)).toMatchObject({
    type: 'InvalidRequest',
    nonRetryable: true,
    message: expect.stringMatching(/^the request is not valid: f0 is wrong; .*; and 1 more$/) as unknown,
    details: [{ fields: problems }],
  });
});
