import { SecretUnavailableError } from '../../../src/secrets/references';
import { SealedTokenUnreadableError } from '../../../src/secrets/sealing';
import { classifyDeliveryError } from '../../../src/sinks/outcomes';
import { SinkRejectedError, SinkUnavailableError } from '../../../src/sinks/sink';

const unreadable = (retryable: boolean) => new SealedTokenUnreadableError('why', retryable);
const later = { type: 'SinkUnavailable', retryable: true };

it.each<[what: string, error: Error, outcome: object]>([
  ['a missing key', unreadable(true), { type: 'SealedTokenUnreadable', retryable: true }],
  ['an altered token', unreadable(false), { type: 'SealedTokenUnreadable', retryable: false }],
  ['a sink that rejects it', new SinkRejectedError('why'), { type: 'SinkRejected', retryable: false }],
  ['a sink that asks to wait', new SinkUnavailableError('why', 7000), { ...later, retryAfterMs: 7000 }],
  ["a sink's secret that is missing", new SecretUnavailableError('why'), later],
])('a delivery fails: %s', (_what, error, outcome) => {
  expect(classifyDeliveryError(error)).toEqual({ ...outcome, message: 'why' });
});

it.each([
  ['an unknown error', new TypeError('CANARY')],
  ['a string', 'CANARY'],
])('a delivery that fails with %s is retried, and its message is not repeated', (_what, error) => {
  const outcome = classifyDeliveryError(error);
  expect(outcome).toMatchObject({ type: 'SinkUnavailable', retryable: true });
  expect(JSON.stringify(outcome)).not.toContain('CANARY');
});
