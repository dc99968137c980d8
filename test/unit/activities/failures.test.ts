import type { ApplicationFailure } from '@temporalio/common';
import * as failures from '../../../src/activities/failures';
import type { AtlasOutcome } from '../../../src/atlas/outcomes';
import type { DeliveryOutcome } from '../../../src/sinks/outcomes';
import { GRPC } from '../../../src/temporal/grpc';
import { PLAN } from './attempt';

/** The backoff of the third attempt, of 2 to 4 s, is 3 s then. To a wait that a server asked for it adds 2 s. */
jest.spyOn(Math, 'random').mockReturnValue(0.5);

const HOUR_MS = 3_600_000;
const timing = (leftMs: number) => ({ backoff: PLAN, attempt: 3, deadlineAtMs: Date.now() + leftMs });

function creation(change: Partial<AtlasOutcome>, leftMs = HOUR_MS): ApplicationFailure {
  const message = 'Atlas returned 429';
  const outcome = { type: 'AtlasUnavailable', message, retryable: true, tokenMayExist: false } as const;
  return failures.creationFailure({ ...outcome, details: STATUS, ...change }, timing(leftMs));
}

function delivery(change: Partial<DeliveryOutcome>, leftMs = HOUR_MS): ApplicationFailure {
  const outcome = { type: 'SinkUnavailable', retryable: true, message: 'the sink is down' } as const;
  return failures.deliveryFailure({ ...outcome, ...change }, timing(leftMs), true);
}

const STATUS = { status: 429 };
const WAIT = { retryAfterMs: 60_000 };
const TOO_LONG = { retryAfterMs: HOUR_MS };
const LOST = { type: 'TokenLost', retryable: false, tokenMayExist: true } as const;
const REFUSED = { type: 'AtlasRequestRejected', retryable: false } as const;

it.each<[Partial<AtlasOutcome>, type: string, delayMs: number | null, details: object]>([
  [{}, 'AtlasUnavailable', 3000, STATUS],
  [WAIT, 'AtlasUnavailable', 62_000, STATUS],
  [TOO_LONG, 'AtlasUnavailable', null, STATUS],
  // The circuit breaker rejected it: the pace is that of the probes.
  [{ ...WAIT, attempt: 1 }, 'AtlasUnavailable', 60_500, STATUS],
  [{ tokenMayExist: true }, 'TokenUnconfirmed', null, STATUS],
  [{ tokenMayExist: true, ...WAIT }, 'TokenUnconfirmed', null, { ...STATUS, ...WAIT }],
  [LOST, 'TokenLost', null, { ...STATUS, tokenMayExist: true }],
  [REFUSED, 'AtlasRequestRejected', null, { ...STATUS, tokenMayExist: false }],
])('a creation attempt with %j fails: %s, retried after %p ms, %j', (change, type, delayMs, details) => {
  const failure = creation(change);
  expect(failure).toMatchObject({ type, nonRetryable: delayMs === null });
  expect(failure.nextRetryDelay ?? null).toBe(delayMs);
  expect(failure.details).toEqual([details]);
});

it.each<[Partial<DeliveryOutcome>, type: string, delayMs: number | null]>([
  [{}, 'SinkUnavailable', 3000],
  [WAIT, 'SinkUnavailable', 62_000],
  [TOO_LONG, 'SinkUnavailable', null],
  [{ type: 'SinkRejected', retryable: false }, 'SinkRejected', null],
])('a delivery attempt with %j fails: %s, retried after %p ms', (change, type, delayMs) => {
  const failure = delivery(change);
  expect(failure).toMatchObject({ type, nonRetryable: delayMs === null, message: 'the sink is down' });
  expect(failure.nextRetryDelay ?? null).toBe(delayMs);
  expect(failure.details).toEqual([{ sinkTried: true, retryAfterMs: change.retryAfterMs }]);
});

test('an attempt whose backoff goes past the deadline is the last', () => {
  expect(creation({}, 500)).toMatchObject({
    nonRetryable: true,
    message:
      'gave up: the retry deadline passes before the next attempt; last error: Atlas returned 429; start again once that is resolved',
  });
  expect(delivery({}, 500)).toMatchObject({ nonRetryable: true, message: 'the sink is down' });
});

it.each([
  ['is retried no earlier than the server asked for', true, 7000],
  ['that no retry helps has no delay', false, undefined],
])('the failure of a call that may be repeated %s', (_what, retryable, nextRetryDelay) => {
  const call = { type: 'AtlasUnavailable', message: 'Atlas returned 429' } as const;
  const outcome = { ...call, details: STATUS, retryable, retryAfterMs: 7000 };
  const failure = failures.repeatableCallFailure(outcome);
  expect(failure).toMatchObject({ ...call, nonRetryable: !retryable, details: [STATUS] });
  expect(failure.nextRetryDelay).toBe(nextRetryDelay);
});

test('the failure of an invalid request has a hundred problems in its details, and counts the others', () => {
  const problems = Array.from({ length: 500 }, (_, i) => ({ field: `f${i}`, description: 'is wrong' }));
  const failure = failures.invalidRequest(problems);
  expect(failure).toMatchObject({ type: 'InvalidRequest', nonRetryable: true });
  const more = { field: 'request', description: 'has 400 more problems: correct these first' };
  expect(failure.details).toEqual([{ fields: [...problems.slice(0, 100), more] }]);
  expect(failure.message).toMatch(/^the request is not valid: f0 is wrong; .*; and 490 more$/);
  expect(failures.invalidRequest(problems.slice(0, 100)).details).toEqual([
    { fields: problems.slice(0, 100) },
  ]);
});

it.each([
  ['PERMISSION_DENIED', GRPC.permissionDenied, 'grant the permission', true],
  ['UNIMPLEMENTED', GRPC.unimplemented, 'use a server and a visibility store that list', true],
  ['INVALID_ARGUMENT', GRPC.invalidArgument, 'use a server and a visibility store that list', true],
  ['UNAVAILABLE', GRPC.unavailable, "check that Temporal's visibility store works", false],
])('after %s the failure names the remedy', (_name, code, remedy, nonRetryable) => {
  const error = Object.assign(new Error(), { code, details: '', metadata: {} });
  const failure = failures.temporalUnavailable(error, 'id');
  expect(failure).toMatchObject({ type: 'TemporalUnavailable', nonRetryable });
  expect(failure.message).toContain(remedy);
});
