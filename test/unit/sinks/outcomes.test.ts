import { SecretUnavailableError } from '../../../src/secrets/references';
import { SealedTokenUnreadableError } from '../../../src/secrets/sealing';
import { classifyDeliveryError } from '../../../src/sinks/outcomes';
import { SinkRejectedError, SinkUnavailableError } from '../../../src/sinks/sink';

describe('classifyDeliveryError', () => {
  it.each<[what: string, error: Error, type: string, retryable: boolean]>([
    ['a missing key', new SealedTokenUnreadableError('why', true), 'SealedTokenUnreadable', true],
    ['an altered token', new SealedTokenUnreadableError('why', false), 'SealedTokenUnreadable', false],
    ['a sink that rejects the token', new SinkRejectedError('why'), 'SinkRejected', false],
    ['a sink out of reach', new SinkUnavailableError('why'), 'SinkUnavailable', true],
    ["a sink's secret that is missing", new SecretUnavailableError('why'), 'SinkUnavailable', true],
  ])('classifies %s', (_what, error, type, retryable) => {
    expect(classifyDeliveryError(error)).toEqual({ type, retryable, message: 'why' });
  });

  it('keeps the wait that a sink asked for', () => {
    const error = new SinkUnavailableError('why', 7000);
    expect(classifyDeliveryError(error).retryAfterMs).toBe(7000);
  });

  it.each([new TypeError('CANARY'), 'CANARY', undefined])(
    'retries an unknown error (%#), since delivery is idempotent, and does not repeat its message',
    (error) => {
      const outcome = classifyDeliveryError(error);
      expect(outcome).toMatchObject({ type: 'SinkUnavailable', retryable: true });
      expect(JSON.stringify(outcome)).not.toContain('CANARY');
    },
  );
});
