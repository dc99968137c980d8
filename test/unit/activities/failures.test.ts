import { ApplicationFailure } from '@temporalio/common';
import {
  creationFailure,
  deliveryFailure,
  invalidRequest,
  repeatableCallFailure,
} from '../../../src/activities/failures';
import type { AtlasOutcome } from '../../../src/atlas/outcomes';
import type { DeliveryOutcome } from '../../../src/sinks/outcomes';

const HOUR_MS = 3_600_000;

/** The timing of a third attempt, whose backoff is 2 to 4 s. */
const timing = ({ attempt = 3, leftMs = HOUR_MS } = {}) => ({
  backoff: { initialIntervalMs: 1000, backoffCoefficient: 2, maximumIntervalMs: 60_000 },
  attempt,
  deadlineAtMs: Date.now() + leftMs,
});

function expectDelay({ nextRetryDelay }: ApplicationFailure, leastMs: number, mostMs: number): void {
  expect(nextRetryDelay).toBeGreaterThanOrEqual(leastMs);
  expect(nextRetryDelay).toBeLessThanOrEqual(mostMs);
}

/** Waits that go past a deadline, with the time that is left. */
const TOO_LATE: [what: string, wait: { retryAfterMs?: number }, leftMs: number][] = [
  ['the wait that the server asked for', { retryAfterMs: HOUR_MS }, HOUR_MS],
  ['a wait that no clock holds', { retryAfterMs: 1e30 }, HOUR_MS],
  ['the backoff', {}, 500],
  ['a deadline that has passed', {}, -HOUR_MS],
];

describe('the failure of a creation attempt', () => {
  const type = 'AtlasUnavailable';
  const message = 'Atlas returned 429';
  const details = { status: 429, errorCode: 'RATE_LIMITED' };
  const outcome: AtlasOutcome = { type, retryable: true, tokenMayExist: false, message, details };

  it('that created nothing is retried by Temporal, after the backoff', () => {
    const failure = creationFailure(outcome, timing());
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({ type, message, nonRetryable: false, details: [details] });
    expectDelay(failure, 2000, 4000);
    expect(failure.cause).toBeUndefined();
  });

  it('is retried no earlier than Atlas asked for', () => {
    expectDelay(creationFailure({ ...outcome, retryAfterMs: 600_000 }, timing()), 600_000, HOUR_MS);
  });

  it('that the circuit breaker rejected is retried at the pace of the probes, not of its own attempts', () => {
    const rejected = { ...outcome, retryAfterMs: 5000, attempt: 1 };
    expectDelay(creationFailure(rejected, timing({ attempt: 9 })), 5000, 6000);
  });

  it.each([{}, { retryAfterMs: 7000 }])(
    'that may have created a token goes to the workflow, with the wait that Atlas asked for: %j',
    (wait) => {
      const failure = creationFailure({ ...outcome, tokenMayExist: true, ...wait }, timing());
      expect(failure).toMatchObject({ type: 'TokenUnconfirmed', nonRetryable: true, message });
      expect(failure.details).toEqual([{ ...details, ...wait }]);
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
      expect(failure).toMatchObject({ type, nonRetryable: true, message });
      expect(failure.details).toEqual([{ ...details, ...more }]);
    },
  );

  it.each(TOO_LATE)(
    'ends creation at once, with its type and message, when %s goes past the deadline',
    (_what, wait, leftMs) => {
      expect(creationFailure({ ...outcome, ...wait }, timing({ leftMs }))).toMatchObject({
        type,
        nonRetryable: true,
        message: `gave up: the retry deadline passes before the next attempt; last error: ${message}; start again once that is resolved`,
        details: [details],
      });
    },
  );
});

describe('the failure of a delivery attempt', () => {
  const message = 'the sink is down';
  const type = 'SinkUnavailable';
  const outcome: DeliveryOutcome = { type, retryable: true, message };

  it('is retried by Temporal after the backoff, and says whether the sink was tried', () => {
    const failure = deliveryFailure(outcome, timing(), true);
    expect(failure).toMatchObject({ type, message, nonRetryable: false });
    expect(failure.details).toEqual([{ sinkTried: true }]);
    expectDelay(failure, 2000, 4000);
  });

  it('is retried no earlier than the sink asked for', () => {
    expectDelay(deliveryFailure({ ...outcome, retryAfterMs: 600_000 }, timing(), true), 600_000, HOUR_MS);
  });

  it('that no retry helps ends the round', () => {
    const rejected = { ...outcome, type: 'SinkRejected', retryable: false } as const;
    const failure = deliveryFailure(rejected, timing(), false);
    expect(failure).toMatchObject({ type: 'SinkRejected', nonRetryable: true });
    expect(failure.details).toEqual([{ sinkTried: false }]);
  });

  it.each(TOO_LATE)(
    'ends the round at once, and passes the wait on, when %s goes past its end',
    (_what, wait, leftMs) => {
      const failure = deliveryFailure({ ...outcome, ...wait }, timing({ leftMs }), true);
      expect(failure).toMatchObject({ type, nonRetryable: true, message });
      expect(failure.details).toEqual([{ sinkTried: true, ...wait }]);
    },
  );
});

describe('the failure of a call that may be repeated', () => {
  const failed = { type: 'AtlasUnavailable', message: 'Atlas returned 503' } as const;

  it.each([
    ['is retried', true, undefined, undefined],
    ['is retried no earlier than the server asked for', true, 7000, 7000],
    ['that no retry helps has no delay', false, 7000, undefined],
  ])('%s', (_what, retryable, retryAfterMs, nextRetryDelay) => {
    const failure = repeatableCallFailure({ ...failed, retryable, retryAfterMs });
    expect(failure).toMatchObject({ ...failed, nonRetryable: !retryable });
    expect(failure.nextRetryDelay).toBe(nextRetryDelay);
    expect(failure.details).toBeUndefined();
  });

  it('has the details of a response of Atlas', () => {
    const details = { status: 503 };
    expect(repeatableCallFailure({ ...failed, retryable: true, details }).details).toEqual([details]);
  });
});

test('the failure of an invalid request has every problem in its details', () => {
  const problems = Array.from({ length: 11 }, (_, i) => ({ field: `f${i}`, description: 'is wrong' }));
  const failure = invalidRequest(problems);
  expect(failure).toMatchObject({
    type: 'InvalidRequest',
    nonRetryable: true,
    details: [{ fields: problems }],
  });
  expect(failure.message).toMatch(/^the request is not valid: f0 is wrong; .*; and 1 more$/);
  const hundred = Array.from({ length: 100 }, () => ({ field: 'f', description: 'is wrong' }));
  expect(invalidRequest(hundred).details).toEqual([{ fields: hundred }]);
});
