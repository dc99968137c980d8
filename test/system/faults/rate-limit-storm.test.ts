import { setTimeout as sleep } from 'node:timers/promises';
import type { Handle } from '../../support/deployment';
import { eventually } from '../../support/eventually';
import { deploy, startAtlas } from '../../support/setting';

const RUNS = 160;
const STARTS_AT_ONCE = 20;
const RETRY_AFTER_MS = 4000;
/** The jitter of a first retry after `Retry-After` is anything up to this. */
const INITIAL_INTERVAL_MS = 4000;

/** Requests in the fullest window of this length. */
function fullestWindow(timesMs: readonly number[], windowMs: number): number {
  return Math.max(...timesMs.map((from) => timesMs.filter((t) => t >= from && t < from + windowMs).length));
}

test(`${RUNS} runs of one organization that Atlas turned away with 429 come back spread, not early, and all finish`, async () => {
  const atlas = await startAtlas();
  const deployment = await deploy({
    atlas,
    config: {
      // So that an attempt that waits for this machine does not count as lost.
      atlas: { requestTimeoutMs: 60_000 },
      worker: { maxConcurrentActivities: RUNS, heartbeatTimeoutMs: 60_000 },
      retries: { create: { initialIntervalMs: INITIAL_INTERVAL_MS } },
    },
  });
  atlas.faults({
    on: 'linkTokens',
    probability: 1,
    status: 429,
    errorCode: 'RATE_LIMITED',
    headers: { 'retry-after': String(RETRY_AFTER_MS / 1000) },
  });

  // Started before there is a worker, so that all of them meet Atlas at once.
  const handles: Handle[] = [];
  while (handles.length < RUNS) {
    handles.push(...(await Promise.all(Array.from({ length: STARTS_AT_ONCE }, () => deployment.start()))));
  }
  await deployment.startWorker();
  await eventually('a request', () => atlas.posts().length > 0);
  // Later only adds requests that are turned away.
  await sleep(RETRY_AFTER_MS / 2);
  atlas.clearFaults();
  const receipts = await Promise.all(handles.map((handle) => handle.result()));

  expect(receipts.every(({ unconfirmedTokens }) => unconfirmedTokens === 0)).toBe(true);
  expect(atlas.createdTokens()).toHaveLength(RUNS);
  expect(deployment.tokenFiles()).toHaveLength(RUNS);

  const turnedAway = atlas.posts().filter(({ status }) => status === 429);
  const created = atlas.posts().filter(({ status }) => status === 201);
  expect(created).toHaveLength(RUNS);
  const first = (posts: { startedAt: string }[]) =>
    Math.min(...posts.map(({ startedAt }) => Date.parse(startedAt)));
  expect(first(created) - first(turnedAway)).toBeGreaterThanOrEqual(RETRY_AFTER_MS);
  const fullest = fullestWindow(
    created.map(({ startedAt }) => Date.parse(startedAt)),
    INITIAL_INTERVAL_MS / 4,
  );
  expect(fullest).toBeLessThan(RUNS / 2);
});
