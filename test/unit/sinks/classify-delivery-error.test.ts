import { SecretUnavailableError } from '../../../src/secrets/read-secret';
import { SealedTokenUnreadableError } from '../../../src/secrets/sealing';
import { NOTHING_DONE } from '../../../src/shared/attempt-failure';
import { classifyDeliveryError } from '../../../src/sinks/classify-delivery-error';
import { SinkRejectedError, SinkUnavailableError } from '../../../src/sinks/sink';

const unreadable = (permanent: boolean) => new SealedTokenUnreadableError('why', permanent);
const LATER = { retryAfterMs: 7000 };

it.each<[what: string, type: string, error: Error, outcome: object]>([
  ['a missing key', 'SealedTokenUnreadable', unreadable(false), {}],
  ['an altered token', 'SealedTokenUnreadable', unreadable(true), { permanent: true }],
  ['a sink that rejects it', 'SinkRejected', new SinkRejectedError('why'), { permanent: true }],
  ['a sink that asks to wait', 'SinkUnavailable', new SinkUnavailableError('why', 7000), LATER],
  ['a missing secret of a sink', 'SinkUnavailable', new SecretUnavailableError('why'), {}],
])('a delivery with %s fails as %s', (_what, type, error, outcome) => {
  const failure = { ...NOTHING_DONE, type, message: 'why', details: {}, ...outcome };
  expect(classifyDeliveryError(error)).toEqual(failure);
});

it.each([
  ['an unknown error', new TypeError('CANARY')],
  ['a string', 'CANARY'],
])('a delivery that fails with %s is retried, and its message is not repeated', (_what, error) => {
  const outcome = classifyDeliveryError(error);
  expect(outcome).toMatchObject({ type: 'SinkUnavailable', permanent: false });
  expect(JSON.stringify(outcome)).not.toContain('CANARY');
});
