import type { ApplicationFailure } from '@temporalio/common';
import fc from 'fast-check';
import * as failures from '../../../src/activities/failures';
import { parseInput } from '../../../src/activities/guards';
import { validateRequestActivity } from '../../../src/activities/validate-request';
import type { AtlasFailure } from '../../../src/atlas/failures';
import {
  failureDetailsSchema,
  prepareRequestSchema,
  validRequestSchema,
  type FailureDetails,
} from '../../../src/contract/schemas';
import type { Retries } from '../../../src/shared/activities';
import { NOTHING_DONE } from '../../../src/shared/attempt-failure';
import { escapeControls } from '../../../src/shared/text';
import type { DeliveryFailure } from '../../../src/sinks/failures';
import { GRPC } from '../../../src/temporal/grpc';
import { ANY_CHARACTER } from '../../support/any-character';
import { BACKOFF, ORG, aRequest } from '../samples';
import { LATE_ATTEMPT, attemptIn, failureOf, organizations, type Untyped } from './attempt';

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
  return failures.creationAttemptFailure(
    { ...NOTHING_DONE, ...outcome, details: STATUS, ...change },
    timing(leftMs),
  );
}

function delivery(change: Partial<DeliveryFailure>, leftMs = HOUR_MS): ApplicationFailure {
  const outcome = { type: 'SinkUnavailable', message: 'the sink is down' } as const;
  return failures.attemptFailure(
    { ...NOTHING_DONE, ...outcome, details: {}, ...change },
    timing(leftMs),
  );
}

it.each<[what: string, delayS: number, change: Partial<AtlasFailure>]>([
  ['without Retry-After', 3, {}],
  ['with Retry-After', 62, WAIT],
  // It backs off as a probe does, after one failure.
  ['that the circuit breaker rejected', 60.5, { ...WAIT, consecutiveAtlasFailures: 1 }],
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

it.each([
  ['PERMISSION_DENIED', 'not retried', GRPC.permissionDenied, 'grant the permission'],
  [
    'UNIMPLEMENTED',
    'not retried',
    GRPC.unimplemented,
    'use a server and a visibility store that list',
  ],
  [
    'INVALID_ARGUMENT',
    'not retried',
    GRPC.invalidArgument,
    'use a server and a visibility store that list',
  ],
  ['UNAVAILABLE', 'retried', GRPC.unavailable, "check that Temporal's visibility store works"],
])(
  '%s from the list of runs is %s, and its failure names the remedy',
  (_name, retried, code, remedy) => {
    const error = Object.assign(new Error(), { code, details: '', metadata: {} });
    const failure = failures.temporalUnavailable(error, 'id');
    expect(failure).toMatchObject({
      type: 'TemporalUnavailable',
      nonRetryable: retried !== 'retried',
    });
    expect(failure.message).toContain(remedy);
  },
);

/** History holds a failure twice, and Temporal accepts a workflow task of at most 4 MB. */
const MAX_MESSAGE_LENGTH = 16 * 1024;
const MAX_FAILURE_BYTES = 256 * 1024;

const validate = validateRequestActivity(
  { organizations, sinks: new Map() },
  {} as Retries,
) as Untyped;

const refusalOf = (request: unknown, recovery: unknown = null) =>
  failureOf(attemptIn().run<unknown[], unknown, Untyped>(validate, request, recovery, []));

function expectBoundedAndPrintable({ type, message, details }: ApplicationFailure): void {
  expect(type).toBe('InvalidRequest');
  expect(message.length).toBeLessThan(MAX_MESSAGE_LENGTH);
  expect(message).toBe(escapeControls(message));
  expect(Buffer.byteLength(JSON.stringify(details))).toBeLessThan(MAX_FAILURE_BYTES);
  const [{ fields = [] }] = details as [FailureDetails];
  expect(failureDetailsSchema.shape.fields.safeParse(fields).error).toBeUndefined();
  expect(fields.length).toBeGreaterThan(0);
  const texts = fields.map(({ field, description }) => field + description).join('');
  expect(texts).toBe(escapeControls(texts));
}

const odd = ['\u001b[2J', '\u009b', '\u202e', '__proto__', 'constructor', 'toString'];
const nearlyValid = ['10.0.0.1/8', '1.2.3.4 ', 'fe80::1%eth0', '010.0.0.1', ORG];
const short = fc.string({ unit: ANY_CHARACTER, minLength: 1, maxLength: 4 });
const text = fc.oneof(
  fc.string({ unit: ANY_CHARACTER }),
  fc.constantFrom(...odd, ...nearlyValid),
  short.map((unit) => unit.repeat(20_000)),
);
const manyOnes = fc
  .tuple(text, fc.integer({ min: 900, max: 1100 }))
  .map(([entry, count]) => Array<string>(count).fill(entry));
const anything = fc.oneof(fc.jsonValue(), text, fc.array(text, { maxLength: 20 }), manyOnes);
/** Objects with some or all of these fields, and others. */
const like = (...fields: string[]) =>
  fc.dictionary(fc.oneof(fc.constantFrom(...fields), text), anything, {
    noNullPrototype: true,
    maxKeys: 20,
  });
const request = like(...Object.keys(prepareRequestSchema.shape));
const recovery = fc.oneof(anything, like('sealedToken', 'sinksTried'));
const longNames = Object.fromEntries(Array.from('0123456789', (x) => [x + '\u001b'.repeat(99), x]));

/**
 * Parses the input of an activity. With `LATE_ATTEMPT`, an unreadable one counts as malformed and no
 * longer as that of another release.
 */
const parse = (input: unknown, info: object = {}) =>
  attemptIn(info).run(() => Promise.resolve(parseInput(validRequestSchema, input)));

it.each<
  [
    what: string,
    inputs: fc.Arbitrary<unknown>,
    refuse: (input: unknown) => Promise<ApplicationFailure>,
  ]
>([
  ['request', fc.oneof(anything, request, fc.constant(longNames)), refusalOf],
  ['recovery', recovery, (input) => refusalOf(aRequest(), input)],
  ['input of another release', fc.oneof(anything, request), (input) => failureOf(parse(input))],
  [
    'input of an activity',
    fc.oneof(anything, request),
    (input) => failureOf(parse(input, LATE_ATTEMPT)),
  ],
])(
  'an InvalidRequest failure is bounded and printable for every %s',
  async (_what, inputs, refuse) => {
    await fc.assert(
      fc.asyncProperty(inputs, async (input) => expectBoundedAndPrintable(await refuse(input))),
    );
  },
);
