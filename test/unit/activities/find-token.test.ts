import { findToken } from '../../../src/activities/find-token';
import { SOURCE_ORG, aRequest } from '../samples';
import { clientOf, grpcError } from '../temporal/scripted-server';
import { attemptIn, failureOf, type Untyped } from './attempt';

const UNAVAILABLE = 14;
const REQUEST = aRequest({ sourceOrgId: SOURCE_ORG });

const findIn = (list: () => Promise<object>) =>
  failureOf(attemptIn({}, clientOf({ list })).run<unknown[], unknown, Untyped>(findToken, REQUEST));

afterEach(() => void jest.useRealTimers());

it('an attempt whose search fails is retried', async () => {
  const away = () => Promise.reject(grpcError(UNAVAILABLE, 'away'));
  expect(await findIn(away)).toMatchObject({ type: 'TemporalUnavailable', nonRetryable: false });
});

it('an attempt whose list hangs fails with the reason, before it times out', async () => {
  jest.useFakeTimers();
  const failure = findIn(() => new Promise(() => undefined));
  await jest.advanceTimersByTimeAsync(9500);
  expect(await failure).toMatchObject({ type: 'TemporalUnavailable', nonRetryable: false });
});
