import { SecretUnavailableError } from '../../../src/secrets/read-secret';
import { SealedTokenUnreadableError } from '../../../src/secrets/sealing';
import { classifyDeliveryError } from '../../../src/sinks/failures';
import { SinkRejectedError, SinkUnavailableError } from '../../../src/sinks/sink';

const unreadable = (retryable: boolean) => new SealedTokenUnreadableError('why', retryable);
const LATER = { retryable: true, retryAfterMs: 7000 };

it.each<[what: string, type: string, error: Error, outcome: object]>([
  ['a missing key', 'SealedTokenUnreadable', unreadable(true), { retryable: true }],
  ['an altered token', 'SealedTokenUnreadable', unreadable(false), { retryable: false }],
  ['a sink that rejects it', 'SinkRejected', new SinkRejectedError('why'), { retryable: false }],
  ['a sink that asks to wait', 'SinkUnavailable', new SinkUnavailableError('why', 7000), LATER],
  [
    'a missing secret of a sink',
    'SinkUnavailable',
    new SecretUnavailableError('why'),
    { retryable: true },
  ],
])('a delivery with %s fails as %s', (_what, type, error, outcome) => {
  expect(classifyDeliveryError(error)).toEqual({ type, ...outcome, message: 'why' });
});

it.each([
  ['an unknown error', new TypeError('CANARY')],
  ['a string', 'CANARY'],
])('a delivery that fails with %s is retried, and its message is not repeated', (_what, error) => {
  const outcome = classifyDeliveryError(error);
  expect(outcome).toMatchObject({ type: 'SinkUnavailable', retryable: true });
  expect(JSON.stringify(outcome)).not.toContain('CANARY');
});
