import {
  ApplicationFailure,
  TimeoutFailure,
  defaultFailureConverter,
  defaultPayloadConverter,
} from '@temporalio/common';
import { UNREADABLE } from '../../../src/shared/payload-converter';
import * as results from '../../../src/workflows/activity-results';

const OTHERWISE = { type: 'TokenLost', message: 'completed by hand' };

describe('what an activity returns', () => {
  const settleToken = (result: unknown) =>
    results.settle(Promise.resolve(result as { jwe: string }), 'jwe', OTHERWISE);

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
    'is a final failure if somebody completed the activity by hand with %s',
    async (_what, result) => {
      expect(await settleToken(result)).toMatchObject({
        failure: { ...OTHERWISE, runMayRetry: false, tokenMayExist: true, sinkTried: true },
      });
    },
  );
});

describe('what an activity fails with', () => {
  it('keeps the fields of the contract', () => {
    const fields = [{ field: 'f', description: 'd' }];
    const details = { status: 403, errorCode: 'X', reason: 'r', detail: 'd', fields };
    const given = {
      ...details,
      retryAfterMs: 5,
      tokenMayExist: false,
      runMayRetry: true,
    };
    expect(
      results.parseFailure(ApplicationFailure.nonRetryable('no', 'AtlasRequestRejected', given)),
    ).toEqual({
      how: 'failed',
      type: 'AtlasRequestRejected',
      message: 'no',
      details,
      runMayRetry: true,
      retryAfterMs: 5,
      tokenMayExist: false,
      sinkTried: true,
    });
  });

  it('is final, and a token may exist, if it has no details', () => {
    const failure = results.parseFailure(
      ApplicationFailure.nonRetryable('no', 'AtlasRequestRejected'),
    );
    expect(failure).toMatchObject({ tokenMayExist: true, runMayRetry: false, sinkTried: true });
  });

  it.each([
    ['HEARTBEAT', 'failed', 'an attempt ended without a result (a timeout, or a lost worker)'],
    ['START_TO_CLOSE', 'failed', 'an attempt ended without a result (a timeout, or a lost worker)'],
    ['SCHEDULE_TO_CLOSE', 'scheduleToClose', 'no attempt ended in time, or none started'],
  ] as const)(
    'names a %s timeout, then the failure before it without its Retry-After',
    (timeoutType, how, message) => {
      const timeout = new TimeoutFailure('activity timeout', undefined, timeoutType);
      expect(results.parseFailure(timeout)).toMatchObject({ how, message, tokenMayExist: true });

      const before = ApplicationFailure.retryable('Atlas returned 429', 'AtlasUnavailable', {
        status: 429,
        retryAfterMs: 60_000,
        tokenMayExist: false,
      });
      timeout.failure = {
        cause: defaultFailureConverter.errorToFailure(before, defaultPayloadConverter),
      };
      expect(results.parseFailure(timeout)).toMatchObject({
        how,
        message: `${message}; before that: Atlas returned 429`,
        details: { status: 429 },
        retryAfterMs: undefined,
        tokenMayExist: true,
      });
    },
  );

  it('has a message and a wait of bounded length', () => {
    const message = 'x'.repeat(1_900_000);
    const details = [{ retryAfterMs: 1e300 }];
    const failure = results.parseFailure(ApplicationFailure.create({ message, details }));
    expect(failure.message).toHaveLength(5000);
    expect(failure.retryAfterMs).toBe(24 * 3_600_000);
  });
});
