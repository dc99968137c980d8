import { judgeSinkError } from '../../src/activities/sink-verdicts';
import { SealedTokenUnreadableError } from '../../src/sealing';
import { SecretUnavailableError } from '../../src/secrets';
import { SinkRejectedError, SinkUnavailableError } from '../../src/sinks/sink';

describe('judgeSinkError', () => {
  it.each([
    [
      'a sealed token that does not open',
      new SealedTokenUnreadableError('why'),
      'SealedTokenUnreadable',
      false,
    ],
    ['a sink that refuses', new SinkRejectedError('why'), 'SinkRejected', false],
    ['a sink that is down', new SinkUnavailableError('why'), 'SinkUnavailable', true],
    ['a secret that cannot be read', new SecretUnavailableError('why'), 'SinkUnavailable', true],
  ])('takes %s for what it is', (_what, error, type, retryable) => {
    expect(judgeSinkError(error)).toMatchObject({
      type,
      retryable,
      perhapsMinted: false,
      message: 'why',
      details: {},
    });
  });

  it('hands on the wait that a sink asks for', () => {
    expect(judgeSinkError(new SinkUnavailableError('why', 7000)).retryAfterMs).toBe(7000);
  });

  it.each([new TypeError('CANARY'), 'CANARY', undefined])(
    'retries what it does not know (%#), since delivery is idempotent, and does not repeat its words',
    (error) => {
      const verdict = judgeSinkError(error);
      expect(verdict).toMatchObject({ type: 'SinkUnavailable', retryable: true });
      expect(JSON.stringify(verdict)).not.toContain('CANARY');
    },
  );
});
