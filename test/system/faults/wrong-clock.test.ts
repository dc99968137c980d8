import { startOwnOrganizations, type OwnRun } from '../../support/organizations';
import { endingOf, redeliver, untilStep } from '../../support/runs';
import { setUp } from '../../support/set-up';
import { wrongClock } from '../../support/worker-process';

const HOUR_MS = 3_600_000;
const on = 'linkTokens';

/** Starts a worker with a wrong clock, and a run for each test below. */
async function startRuns(offsetMs: number) {
  const own = await startOwnOrganizations({
    env: wrongClock(offsetMs),
    config: {
      // The run with endless 429s lasts as long as its retries; the others end long before.
      retries: {
        initialIntervalMs: 20,
        maximumIntervalMs: 400,
        roundMs: 3000,
        giveUpAfterMs: 30_000,
      },
      sinks: { missing: { type: 'file', directory: 'missing' } },
    },
  });
  const retryAt = new Date(Date.now() + 5000).toUTCString();
  const runs = {
    unavailable: await own.start(own.newRequest(), { on, status: 503, times: 2 }),
    limitedUntil: await own.start(own.newRequest(), {
      on,
      status: 429,
      headers: { 'Retry-After': retryAt },
    }),
    undelivered: await own.start(own.newRequest({ sink: 'missing' })),
  };
  const request = own.newRequest();
  own.setFaults(request, { on, status: 429, times: 1_000_000 });
  const limitedForEver = { request, handle: await own.installation.start(request) };
  const postsOf = ({ request: { orgId } }: OwnRun) =>
    own.atlas.posts().filter(({ path }) => path.includes(orgId));
  return { ...runs, limitedForEver, retryAt, postsOf };
}

const fast = setUp(() => startRuns(HOUR_MS));
const slow = setUp(() => startRuns(-HOUR_MS));

describe.each([
  ['fast', fast],
  ['slow', slow],
])('with a worker whose clock is an hour %s', (_clock, started) => {
  it('a run that gets 503 twice counts two unconfirmed tokens and delivers', async () => {
    const { unavailable, postsOf } = started();
    expect(await endingOf(unavailable.handle)).toMatchObject({
      type: 'delivered',
      unconfirmedTokens: 2,
    });
    expect(postsOf(unavailable)).toHaveLength(3);
  });

  it('a run that gets 429 waits until the date in Retry-After', async () => {
    const { limitedUntil, retryAt, postsOf } = started();
    expect(await endingOf(limitedUntil.handle)).toMatchObject({
      type: 'delivered',
      unconfirmedTokens: 0,
    });
    const [, second] = postsOf(limitedUntil);
    expect(Date.parse(second?.startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(retryAt));
  });

  it('a round at a sink that is down ends, and a redelivery delivers', async () => {
    const { handle } = started().undelivered;
    await untilStep(handle, 'undelivered');
    const events = (await handle.fetchHistory()).events ?? [];
    const attempts = events.map((event) => event.activityTaskStartedEventAttributes?.attempt ?? 0);
    expect(Math.max(...attempts)).toBeGreaterThan(1);
    expect(await redeliver(handle, { sink: 'files' })).toMatchObject({ type: 'delivered' });
  });

  it('a run that always gets 429 repeats its request until the deadline', async () => {
    const { limitedForEver, postsOf } = started();
    expect(await endingOf(limitedForEver.handle)).toMatchObject({
      type: 'AtlasUnavailable',
      unconfirmedTokens: 0,
      message: expect.stringMatching(/^gave up: .*Atlas returned 429/),
    });
    expect(postsOf(limitedForEver).length).toBeGreaterThan(1);
  });
});
