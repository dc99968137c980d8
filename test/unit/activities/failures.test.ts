import { ApplicationFailure } from '@temporalio/common';
import {
  creationFailure,
  deliveryFailure,
  invalidRequest,
  repeatableCallFailure,
  temporalUnavailable,
} from '../../../src/activities/failures';
import type { AtlasOutcome } from '../../../src/atlas/outcomes';
import type { DeliveryOutcome } from '../../../src/sinks/outcomes';
import { GRPC } from '../../../src/temporal/grpc';

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

const CREATION: AtlasOutcome = {
  ...{ type: 'AtlasUnavailable', message: 'Atlas returned 429', retryable: true, tokenMayExist: false },
  details: { status: 429, errorCode: 'RATE_LIMITED' },
};
const DELIVERY: DeliveryOutcome = { type: 'SinkUnavailable', retryable: true, message: 'the sink is down' };

const creation = (change: Partial<AtlasOutcome> = {}, when = timing()) =>
  creationFailure({ ...CREATION, ...change }, when);
const delivery = (change: Partial<DeliveryOutcome> = {}, when = timing(), sinkTried = true) =>
  deliveryFailure({ ...DELIVERY, ...change }, when, sinkTried);

describe.each([
  ['creation', creation, CREATION, CREATION.details],
  ['delivery', delivery, DELIVERY, { sinkTried: true }],
] as const)(
  'the failure of a %s attempt that Temporal may retry',
  (_what, fail, { type, message }, details) => {
    it('follows after the backoff', () => {
      const failure = fail();
      expect(failure).toBeInstanceOf(ApplicationFailure);
      expect(failure).toMatchObject({ type, message, nonRetryable: false, details: [details] });
      expect(failure.cause).toBeUndefined();
      expectDelay(failure, 2000, 4000);
    });

    it('follows no earlier than the server asked for', () => {
      expectDelay(fail({ retryAfterMs: 600_000 }), 600_000, HOUR_MS);
    });
  },
);

it.each<[what: string, wait: { retryAfterMs?: number }, leftMs: number]>([
  ['the wait that the server asked for', { retryAfterMs: HOUR_MS }, HOUR_MS],
  ['a wait that no clock holds', { retryAfterMs: 1e30 }, HOUR_MS],
  ['the backoff', {}, 500],
])('%s goes past the deadline: it ends at once', (_what, wait, leftMs) => {
  const { message } = CREATION;
  expect(creation(wait, timing({ leftMs }))).toMatchObject({
    ...{ type: 'AtlasUnavailable', nonRetryable: true, details: [CREATION.details] },
    message: `gave up: the retry deadline passes before the next attempt; last error: ${message}; start again once that is resolved`,
  });
  const failure = delivery(wait, timing({ leftMs }));
  expect(failure).toMatchObject({ type: 'SinkUnavailable', nonRetryable: true, message: DELIVERY.message });
  expect(failure.details).toEqual([{ sinkTried: true, ...wait }]);
});

describe('the failure of a creation attempt', () => {
  it('that the circuit breaker rejected is retried at the pace of the probes, not of its own attempts', () => {
    expectDelay(creation({ retryAfterMs: 5000, attempt: 1 }, timing({ attempt: 9 })), 5000, 6000);
  });

  it.each([{}, { retryAfterMs: 7000 }])(
    'that may have created a token goes to the workflow, with the wait that Atlas asked for: %j',
    (wait) => {
      const failure = creation({ tokenMayExist: true, ...wait });
      expect(failure).toMatchObject({ type: 'TokenUnconfirmed', nonRetryable: true });
      expect(failure.details).toEqual([{ ...CREATION.details, ...wait }]);
      expect(failure.nextRetryDelay).toBeUndefined();
    },
  );

  it.each([
    ['TokenLost', true],
    ['AtlasRequestRejected', false],
  ] as const)('that no retry helps is %s, and says that a token may exist: %s', (type, tokenMayExist) => {
    const failure = creation({ type, retryable: false, tokenMayExist });
    expect(failure).toMatchObject({ type, nonRetryable: true, message: CREATION.message });
    expect(failure.details).toEqual([{ ...CREATION.details, tokenMayExist }]);
  });
});

test('the failure of a delivery attempt that no retry helps ends the round', () => {
  const failure = delivery({ type: 'SinkRejected', retryable: false }, timing(), false);
  expect(failure).toMatchObject({ type: 'SinkRejected', nonRetryable: true });
  expect(failure.details).toEqual([{ sinkTried: false }]);
});

it.each([
  ['is retried', true, undefined, undefined],
  ['is retried no earlier than the server asked for', true, 7000, 7000],
  ['that no retry helps has no delay', false, 7000, undefined],
])('the failure of a call that may be repeated %s', (_what, retryable, retryAfterMs, nextRetryDelay) => {
  const failed = { type: 'AtlasUnavailable', message: 'Atlas returned 503' } as const;
  const failure = repeatableCallFailure({ ...failed, retryable, retryAfterMs, details: { status: 503 } });
  expect(failure).toMatchObject({ ...failed, nonRetryable: !retryable, details: [{ status: 503 }] });
  expect(failure.nextRetryDelay).toBe(nextRetryDelay);
  expect(repeatableCallFailure({ ...DELIVERY, retryable, retryAfterMs }).details).toBeUndefined();
});

test('the failure of an invalid request has a hundred problems in its details, and counts the others', () => {
  const problems = Array.from({ length: 500 }, (_, i) => ({ field: `f${i}`, description: 'is wrong' }));
  const failure = invalidRequest(problems);
  expect(failure).toMatchObject({ type: 'InvalidRequest', nonRetryable: true });
  const more = { field: 'request', description: 'has 400 more problems: correct these first' };
  expect(failure.details).toEqual([{ fields: [...problems.slice(0, 100), more] }]);
  expect(failure.message).toMatch(/^the request is not valid: f0 is wrong; .*; and 490 more$/);
  expect(invalidRequest(problems.slice(0, 100)).details).toEqual([{ fields: problems.slice(0, 100) }]);
});

it.each([
  ['PERMISSION_DENIED', GRPC.permissionDenied, 'grant the permission', true],
  ['UNIMPLEMENTED', GRPC.unimplemented, 'use a server and a visibility store that list', true],
  ['INVALID_ARGUMENT', GRPC.invalidArgument, 'use a server and a visibility store that list', true],
  ['UNAVAILABLE', GRPC.unavailable, "check that Temporal's visibility store works", false],
])('after %s the failure names the remedy', (_name, code, remedy, nonRetryable) => {
  const error = Object.assign(new Error(), { code, details: '', metadata: {} });
  const failure = temporalUnavailable(error, 'id');
  expect(failure).toMatchObject({ type: 'TemporalUnavailable', nonRetryable });
  expect(failure.message).toContain(remedy);
});
