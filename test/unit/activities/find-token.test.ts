import { findToken } from '../../../src/activities/find-token';
import { SOURCE_ORG, aRequest } from '../samples';
import { clientOf, grpcError } from '../temporal/scripted-server';
import { attemptIn, failureOf, type Untyped } from './attempt';

const UNAVAILABLE = 14;
const REQUEST = aRequest({ sourceOrgId: SOURCE_ORG });

const findIn = (list: () => Promise<object>, giveUpAtMs: number) =>
  failureOf(
    attemptIn({}, clientOf({ list })).run<unknown[], unknown, Untyped>(
      findToken as Untyped,
      REQUEST,
      giveUpAtMs,
    ),
  );

afterEach(() => void jest.useRealTimers());

it.each([
  ['before the run gives up', Infinity, false],
  ['after the run gives up', 0, true],
])('a search that fails %s', async (_when, giveUpAtMs, nonRetryable) => {
  const away = () => Promise.reject(grpcError(UNAVAILABLE, 'away'));
  expect(await findIn(away, giveUpAtMs)).toMatchObject({
    type: 'TemporalUnavailable',
    nonRetryable,
  });
});

it('a list that does not respond ends the attempt before Temporal does, with the reason', async () => {
  jest.useFakeTimers();
  const failure = findIn(() => new Promise(() => undefined), Infinity);
  await jest.advanceTimersByTimeAsync(9500);
  expect(await failure).toMatchObject({ type: 'TemporalUnavailable', nonRetryable: false });
});
