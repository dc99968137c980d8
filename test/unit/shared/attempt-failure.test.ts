import {
  ApplicationFailure,
  TimeoutFailure,
  defaultFailureConverter,
  defaultPayloadConverter,
} from '@temporalio/common';
import {
  NOTHING_KNOWN,
  readAttemptFailure,
  writeAttemptFailure,
} from '../../../src/shared/attempt-failure';
import { UNREADABLE } from '../../../src/shared/payload-converter';
import { creationFailed } from '../../../src/workflows/endings';
import { settle } from '../../../src/workflows/settle';

describe('what an activity returns', () => {
  const settleToken = (result: unknown) =>
    settle(Promise.resolve(result as { jwe: string }), 'jwe');

  it('is taken as it is if its required field is a string', async () => {
    const token = { jwe: 'x', fieldOfANewerRelease: 1 };
    expect(await settleToken(token)).toEqual({ result: token });
  });

  it.each([
    ['null', null],
    ['a payload that cannot be read', UNREADABLE],
    ['a list', [{ jwe: 'x' }]],
    ['an object without the field', {}],
    ['a field of another type', { jwe: 5 }],
  ])(
    'says nothing of what was done if somebody completed the activity by hand with %s',
    async (_what, result) => {
      expect(await settleToken(result)).toMatchObject({
        wasCancelled: false,
        failure: { type: null, ...NOTHING_KNOWN },
      });
    },
  );
});

const FAILURE = {
  type: 'AtlasRequestRejected',
  message: 'no',
  details: { status: 403, errorCode: 'X', reason: 'r', detail: 'd' },
  permanent: true,
  tokenMayExist: false,
  retryAfterMs: 5,
};

describe('what an activity fails with', () => {
  it('is read as it was written', () => {
    expect(readAttemptFailure(writeAttemptFailure(FAILURE))).toEqual(FAILURE);
  });

  it('has its facts apart from the details for callers', () => {
    const written = writeAttemptFailure({ ...FAILURE, fieldOfANewerRelease: 1 } as never);
    const { type: _, message: __, details, ...facts } = FAILURE;
    expect(written.details).toEqual([details, facts]);
    const ending = creationFailed(readAttemptFailure(written), { unconfirmedTokens: 0 });
    expect(ending.details).toEqual([{ ...details, unconfirmedTokens: 0 }]);
  });

  it.each<[what: string, change: object, delay: number | null | undefined, expected: object]>([
    ['is retried by the retry policy', { permanent: false }, undefined, { nonRetryable: false }],
    ['is retried after a delay', { permanent: false }, 9, { nextRetryDelay: 9 }],
    ['is not retried without time', { permanent: false }, null, { nonRetryable: true }],
    ['is not retried if it is permanent', {}, 9, { nonRetryable: true }],
  ])('%s', (_what, change, delay, expected) => {
    const written = writeAttemptFailure({ ...FAILURE, ...change }, delay);
    expect(written).toMatchObject(expected);
    if (written.nonRetryable) expect(written.nextRetryDelay).toBeUndefined();
  });

  it('is permanent, and a token may exist, if it has no details', () => {
    const failure = readAttemptFailure(
      ApplicationFailure.nonRetryable('no', 'AtlasRequestRejected'),
    );
    expect(failure).toMatchObject({ tokenMayExist: true, permanent: true });
  });

  it.each([
    ['HEARTBEAT', 'an attempt ended without a result (a timeout, or a lost worker)'],
    ['START_TO_CLOSE', 'an attempt ended without a result (a timeout, or a lost worker)'],
    ['SCHEDULE_TO_CLOSE', 'no attempt ended in time, or none started'],
  ] as const)(
    'names a %s timeout, then the failure before it without its Retry-After',
    async (timeoutType, message) => {
      const timeout = new TimeoutFailure('activity timeout', undefined, timeoutType);
      const settled = () => settle(Promise.reject<{ jwe: string }>(timeout), 'jwe');
      expect(await settled()).toMatchObject({
        wasCancelled: false,
        failure: { message, tokenMayExist: true },
      });

      const attempt = { ...FAILURE, message: 'Atlas returned 429', permanent: false };
      const before = writeAttemptFailure(attempt, 60_000);
      timeout.failure = {
        cause: defaultFailureConverter.errorToFailure(before, defaultPayloadConverter),
      };
      const { type, details } = FAILURE;
      const failure = { type, message: `${message}; before that: Atlas returned 429`, details };
      expect(await settled()).toEqual({
        failure: { ...NOTHING_KNOWN, ...failure },
        wasCancelled: false,
      });
    },
  );

  it('has a message and a wait of bounded length', () => {
    const message = 'x'.repeat(1_900_000);
    const details = [{}, { retryAfterMs: 1e300 }];
    const failure = readAttemptFailure(ApplicationFailure.create({ message, details }));
    expect(failure.message).toHaveLength(5000);
    expect(failure.retryAfterMs).toBe(24 * 3_600_000);
  });
});
