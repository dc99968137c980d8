import { classifyDeliveryError } from '../../../src/activities/delivery-outcomes';
import type { DeliveryOutcome } from '../../../src/activities/failures';
import { SealedTokenUnreadableError } from '../../../src/sealing';
import { SecretUnavailableError } from '../../../src/secrets';
import { SinkRejectedError, SinkUnavailableError } from '../../../src/sinks/sink';

type Expected = Pick<DeliveryOutcome, 'type' | 'retryable' | 'tokenMayBeThere'>;

const unreadable = { type: 'SealedTokenUnreadable', tokenMayBeThere: false } as const;
const unavailable = { type: 'SinkUnavailable', retryable: true } as const;
const rejected = { type: 'SinkRejected', retryable: false } as const;

describe('classifyDeliveryError', () => {
  it.each<[what: string, error: Error, expected: Expected]>([
    [
      'a key that this worker lacks',
      new SealedTokenUnreadableError('why', true),
      { ...unreadable, retryable: true },
    ],
    ['an altered token', new SealedTokenUnreadableError('why', false), { ...unreadable, retryable: false }],
    [
      'a sink that rejects before it has the token',
      new SinkRejectedError('why', { tokenMayBeThere: false }),
      { ...rejected, tokenMayBeThere: false },
    ],
    [
      'a sink that rejects what it was sent',
      new SinkRejectedError('why', { tokenMayBeThere: true }),
      { ...rejected, tokenMayBeThere: true },
    ],
    [
      'a sink that cannot be reached',
      new SinkUnavailableError('why', { tokenMayBeThere: false }),
      { ...unavailable, tokenMayBeThere: false },
    ],
    [
      'a sink that does not confirm',
      new SinkUnavailableError('why', { tokenMayBeThere: true }),
      { ...unavailable, tokenMayBeThere: true },
    ],
    [
      "a sink's secret that cannot be read",
      new SecretUnavailableError('why'),
      { ...unavailable, tokenMayBeThere: false },
    ],
  ])('classifies %s', (_what, error, expected) => {
    expect(classifyDeliveryError(error)).toEqual({ ...expected, message: 'why' });
  });

  it('keeps the wait that a sink asked for', () => {
    const error = new SinkUnavailableError('why', { tokenMayBeThere: true, retryAfterMs: 7000 });
    expect(classifyDeliveryError(error).retryAfterMs).toBe(7000);
  });

  it.each([new TypeError('CANARY'), 'CANARY', undefined])(
    'retries an unknown error (%#), since delivery is idempotent, and does not repeat its message',
    (error) => {
      const outcome = classifyDeliveryError(error);
      expect(outcome).toMatchObject({ ...unavailable, tokenMayBeThere: true });
      expect(JSON.stringify(outcome)).not.toContain('CANARY');
    },
  );
});
