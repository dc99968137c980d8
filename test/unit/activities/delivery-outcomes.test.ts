import { classifyDeliveryError } from '../../../src/activities/delivery-outcomes';
import { SealedTokenUnreadableError } from '../../../src/sealing';
import { SecretUnavailableError } from '../../../src/secrets';
import { SinkRejectedError, SinkUnavailableError } from '../../../src/sinks/sink';

const there = { tokenMayBeThere: true };
const not = { tokenMayBeThere: false };

describe('classifyDeliveryError', () => {
  it.each<[what: string, error: Error, type: string, retryable: boolean, token: typeof there]>([
    ['a missing key', new SealedTokenUnreadableError('why', true), 'SealedTokenUnreadable', true, not],
    ['an altered token', new SealedTokenUnreadableError('why', false), 'SealedTokenUnreadable', false, not],
    ['a sink that rejects all', new SinkRejectedError('why', not), 'SinkRejected', false, not],
    [
      'a sink that rejects what it was sent',
      new SinkRejectedError('why', there),
      'SinkRejected',
      false,
      there,
    ],
    ['a sink out of reach', new SinkUnavailableError('why', not), 'SinkUnavailable', true, not],
    ['a sink that does not confirm', new SinkUnavailableError('why', there), 'SinkUnavailable', true, there],
    ["a sink's secret that is missing", new SecretUnavailableError('why'), 'SinkUnavailable', true, not],
  ])('classifies %s', (_what, error, type, retryable, token) => {
    expect(classifyDeliveryError(error)).toEqual({ type, retryable, ...token, message: 'why' });
  });

  it('keeps the wait that a sink asked for', () => {
    const error = new SinkUnavailableError('why', { tokenMayBeThere: true, retryAfterMs: 7000 });
    expect(classifyDeliveryError(error).retryAfterMs).toBe(7000);
  });

  it.each([new TypeError('CANARY'), 'CANARY', undefined])(
    'retries an unknown error (%#), since delivery is idempotent, and does not repeat its message',
    (error) => {
      const outcome = classifyDeliveryError(error);
      expect(outcome).toMatchObject({ type: 'SinkUnavailable', retryable: true, tokenMayBeThere: true });
      expect(JSON.stringify(outcome)).not.toContain('CANARY');
    },
  );
});
