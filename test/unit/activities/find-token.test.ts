import { findTokenActivity } from '../../../src/activities/find-token';
import { SOURCE_ORG, aRequest } from '../samples';
import { clientOf, grpcError, listedRun } from '../temporal/scripted-server';
import { attemptIn, failureOf, organizations, refusedFields, type Untyped } from './attempt';

const UNAVAILABLE = 14;
const REQUEST = aRequest({ sourceOrgId: SOURCE_ORG });

const newActivity = () =>
  findTokenActivity({ organizations, sinks: new Map() }, 3_600_000) as Untyped;

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** Fake timers do not replace `node:timers/promises`. */
const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The pauses between the tries, as `activity-proxies.ts` has them. */
const PAUSES_S = [2, 4, 8, 16, 30, 30, 30];

/** A pair with terminated runs, on a server whose every answer is late. */
function pairOf(terminated: number, lateMs: number, startedAtMs = Date.now()) {
  const calls = { lists: 0, histories: 0 };
  const client = clientOf({
    async list() {
      calls.lists += 1;
      await later(lateMs);
      return { executions: Array.from({ length: terminated }, (_, n) => listedRun(`run ${n}`)) };
    },
    async readHistory() {
      calls.histories += 1;
      await later(lateMs);
      return {};
    },
  });
  const findToken = newActivity();
  /** Tries until one passes, as Temporal does; returns the number of tries. */
  async function search(pauses = PAUSES_S): Promise<number> {
    for (const [tries, pause] of pauses.entries()) {
      const attempt = attemptIn({}, client).run<unknown[], unknown, Untyped>(
        findToken,
        REQUEST,
        startedAtMs,
      );
      const failure = await failureOf(attempt).catch(() => null);
      if (!failure) return tries + 1;
      expect(failure).toMatchObject({ type: 'TemporalUnavailable', nonRetryable: false });
      await later(pause * 1000);
    }
    return Infinity;
  }
  return { calls, search };
}

it.each([
  [0, 1300],
  [0, 30_000],
  [1, 600],
  [500, 20],
])(
  'attempts share one search that outlasts them (%i runs, %i ms a call)',
  async (terminated, lateMs) => {
    const { calls, search } = pairOf(terminated, lateMs);
    const attempts = search();
    await jest.advanceTimersByTimeAsync(200_000);
    expect(await attempts).toBeLessThan(Infinity);
    expect(calls).toEqual({ lists: 1, histories: terminated });
  },
);

it('a search whose outcome no attempt reads for minutes is started again', async () => {
  const { calls, search } = pairOf(0, 1300);
  const attempts = search([600, 600]);
  await jest.advanceTimersByTimeAsync(1_300_000);
  expect(await attempts).toBe(Infinity);
  expect(calls.lists).toBe(2);
});

it('a search that failed leaves no timer that ends a later search of the run', async () => {
  const calls: number[] = [];
  const client = clientOf({
    async list() {
      calls.push(Date.now());
      if (calls.length === 1) throw grpcError(UNAVAILABLE, 'away');
      await later(60_000);
      return { executions: [] };
    },
  });
  const findToken = newActivity();
  const attempt = () =>
    failureOf(
      attemptIn({}, client).run<unknown[], unknown, Untyped>(findToken, REQUEST, Date.now()),
    );
  const first = attempt();
  await jest.advanceTimersByTimeAsync(1000);
  await first;
  // The second search begins just before the first would have been forgotten.
  await jest.advanceTimersByTimeAsync(290_000);
  const second = attempt();
  await jest.advanceTimersByTimeAsync(20_000);
  await second;
  const third = attempt();
  await jest.advanceTimersByTimeAsync(2000);
  await third;
  expect(calls).toHaveLength(2);
});

it('a request that is not valid is refused at once while the list is away', async () => {
  const client = clientOf({
    list: () => Promise.reject(grpcError(UNAVAILABLE, 'away')),
  });
  const findIn = (request: object) =>
    attemptIn({}, client).run<unknown[], unknown, Untyped>(newActivity(), request, Date.now());
  const typo = { ...REQUEST, accessListIps: ['192.31.196'] };
  expect(await refusedFields(findIn(typo))).toEqual(['accessListIps[0]']);
  expect(await failureOf(findIn(REQUEST))).toMatchObject({ type: 'TemporalUnavailable' });
});
