import type { ApplicationFailure } from '@temporalio/common';
import {
  writeCreationFailure,
  writeRetryableFailure,
} from '../../../src/activities/attempt-retries';
import type { AtlasFailure } from '../../../src/atlas/outcomes';
import type { DeliveryFailureType } from '../../../src/contract/failure-types';
import { NOTHING_DONE, type AttemptFailure } from '../../../src/shared/attempt-failure';
import { BACKOFF } from '../samples';
import { attemptIn } from './attempt';

/**
 * Makes the backoff of a third attempt, 2 to 4 s, exactly 3 s, and adds 2 s to a wait that a server
 * asked for.
 */
jest.spyOn(Math, 'random').mockReturnValue(0.5);

const HOUR_MS = 3_600_000;
/** An attempt with this much time left for retries, by Temporal's clock and not by this worker's. */
const timing = (leftMs: number) => ({
  info: attemptIn({
    scheduledTimestampMs: 1000,
    currentAttemptScheduledTimestampMs: 1000 + HOUR_MS,
    scheduleToCloseTimeoutMs: HOUR_MS + leftMs + 180_000,
    startToCloseTimeoutMs: 180_000,
  }).context.info,
  failureCount: 3,
  backoff: BACKOFF,
});

const STATUS = { status: 429 };
const WAIT = { retryAfterMs: 60_000 };
const WAIT_PAST_DEADLINE = { retryAfterMs: HOUR_MS };

function creation(change: Partial<AtlasFailure>, leftMs = HOUR_MS): ApplicationFailure {
  const outcome = { type: 'AtlasUnavailable', message: 'Atlas returned 429' } as const;
  return writeCreationFailure(
    { ...NOTHING_DONE, ...outcome, details: STATUS, ...change },
    timing(leftMs),
  );
}

type DeliveryFailure = AttemptFailure<DeliveryFailureType>;

function delivery(change: Partial<DeliveryFailure>, leftMs = HOUR_MS): ApplicationFailure {
  const outcome = { type: 'SinkUnavailable', message: 'the sink is down' } as const;
  return writeRetryableFailure(
    { ...NOTHING_DONE, ...outcome, details: {}, ...change },
    timing(leftMs),
  );
}

it.each<[what: string, delayS: number, change: Partial<AtlasFailure>]>([
  ['without Retry-After', 3, {}],
  ['with Retry-After', 62, WAIT],
])('a creation attempt %s is retried after %d s', (_what, delayS, change) => {
  expect(creation(change)).toMatchObject({
    type: 'AtlasUnavailable',
    nonRetryable: false,
    nextRetryDelay: delayS * 1000,
    details: [STATUS, NOTHING_DONE],
  });
});

const LOST = { type: 'TokenLost', permanent: true, tokenMayExist: true } as const;
const REJECTED = { type: 'AtlasRequestRejected', permanent: true } as const;

it.each<[what: string, type: string, change: Partial<AtlasFailure>]>([
  ['with a Retry-After past the deadline', 'AtlasUnavailable', WAIT_PAST_DEADLINE],
  ['after which a token may exist', 'TokenUnconfirmed', { tokenMayExist: true }],
  ['with Retry-After, and a possible token', 'TokenUnconfirmed', { tokenMayExist: true, ...WAIT }],
  ['that lost its token', 'TokenLost', LOST],
  ['that Atlas rejected', 'AtlasRequestRejected', REJECTED],
])('a creation attempt %s fails as %s, which Temporal does not retry', (_what, type, change) => {
  const { type: _type, ...facts } = change;
  const failure = creation(change);
  const details = [STATUS, { ...NOTHING_DONE, ...facts }];
  expect(failure).toMatchObject({ type, nonRetryable: true, details });
  expect(failure.nextRetryDelay).toBeUndefined();
});

it.each([
  ['without a wait', 3, {}],
  ['with a wait that the sink asks for', 62, WAIT],
])('a delivery attempt %s is retried after %d s', (_what, delayS, change) => {
  expect(delivery(change)).toMatchObject({
    type: 'SinkUnavailable',
    nonRetryable: false,
    message: 'the sink is down',
    nextRetryDelay: delayS * 1000,
    details: [{}, { ...NOTHING_DONE, ...change }],
  });
});

it.each<[what: string, type: string, change: Partial<DeliveryFailure>]>([
  ['with a wait past the deadline', 'SinkUnavailable', WAIT_PAST_DEADLINE],
  ['that the sink rejects', 'SinkRejected', { type: 'SinkRejected', permanent: true }],
])('a delivery attempt %s fails as %s, which Temporal does not retry', (_what, type, change) => {
  const failure = delivery(change);
  expect(failure).toMatchObject({ type, nonRetryable: true, message: 'the sink is down' });
  expect(failure.nextRetryDelay).toBeUndefined();
});

it('an attempt whose backoff goes past the deadline is the last', () => {
  expect(creation({}, 500)).toMatchObject({ nonRetryable: true, message: 'Atlas returned 429' });
  expect(delivery({}, 500)).toMatchObject({ nonRetryable: true, message: 'the sink is down' });
});
