import { setTimeout as sleep } from 'node:timers/promises';
import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { deploy, startInstallation, type Deployment, type Handle } from '../../support/installation';
import { pendingActivity } from '../../support/runs';

const RUNS = 60;
const RETRY_AFTER_MS = 4000;

const RUNS_IN_OUTAGE = 20;
const PROBES = 3;
const PROBE_INTERVAL_MS = 500;

/** Long enough that no attempt times out while it waits for this machine. */
const PATIENT = {
  atlas: { requestTimeoutMs: 60_000 },
  worker: { maxConcurrentActivities: RUNS, heartbeatTimeoutMs: 60_000 },
};

/** A server that is short of time may lose a task on its way to the worker: the attempt times out and is counted. */
const LOST = 'activity Heartbeat timeout';

const startMany = (deployment: Deployment, count: number) =>
  Promise.all(Array.from({ length: count }, () => deployment.start()));

/** Reads the end of each attempt of a run that may have created a token: the others were retried by Temporal. */
async function creationFailures(handle: Handle): Promise<string[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).flatMap(
    ({ activityTaskFailedEventAttributes: failed, activityTaskTimedOutEventAttributes: timedOut }) =>
      (failed ?? timedOut) ? [(failed ?? timedOut)?.failure?.message ?? ''] : [],
  );
}

it(`${RUNS} runs that Atlas turned away with 429 come back not early, and all finish`, async () => {
  const atlas = await startAtlas();
  const deployment = await deploy({ atlas, config: PATIENT });
  atlas.faults({
    on: 'linkTokens',
    probability: 1,
    status: 429,
    errorCode: 'RATE_LIMITED',
    headers: { 'retry-after': String(RETRY_AFTER_MS / 1000) },
  });

  // Started before there is a worker, so that all of them meet Atlas at once.
  const handles = await startMany(deployment, RUNS);
  await deployment.startWorker();
  await eventually('a request', () => atlas.posts().length > 0);
  // Later only adds requests that are turned away.
  await sleep(RETRY_AFTER_MS / 2);
  atlas.clearFaults();
  const receipts = await Promise.all(handles.map((handle) => handle.result()));

  // An attempt that Temporal retries leaves no failure in the history.
  const failures = await Promise.all(handles.map(creationFailures));
  expect(failures.flat().filter((message) => message !== LOST)).toEqual([]);
  expect(receipts.map(({ unconfirmedTokens }) => unconfirmedTokens)).toEqual(
    failures.map(({ length }) => length),
  );
  expect(atlas.posts().filter(({ status }) => status !== 429 && status !== 201)).toEqual([]);
  expect(atlas.createdTokens()).toHaveLength(RUNS);
  expect(deployment.tokenFiles()).toHaveLength(RUNS);

  const turnedAway = atlas.posts().filter(({ status }) => status === 429);
  const created = atlas.posts().filter(({ status }) => status === 201);
  expect(created).toHaveLength(RUNS);
  const first = (posts: { startedAt: string }[]) =>
    Math.min(...posts.map(({ startedAt }) => Date.parse(startedAt)));
  expect(first(created) - first(turnedAway)).toBeGreaterThanOrEqual(RETRY_AFTER_MS);
});

it(`${RUNS_IN_OUTAGE} runs in an outage leave a token each and one for each probe, and then deliver`, async () => {
  const { atlas, deployment } = await startInstallation({
    config: {
      ...PATIENT,
      retries: {
        create: { initialIntervalMs: 2 * PROBE_INTERVAL_MS, maximumIntervalMs: 2 * PROBE_INTERVAL_MS },
      },
    },
  });
  atlas.faults({ on: 'linkTokens', probability: 1, status: 503 });
  const handles = await startMany(deployment, RUNS_IN_OUTAGE);

  const first = () => Date.parse(atlas.posts()[0]?.startedAt ?? '');
  const probes = () =>
    atlas.posts().filter(({ startedAt }) => Date.parse(startedAt) >= first() + PROBE_INTERVAL_MS).length;
  await eventually('a failure that says until when no request is sent', async () => {
    const pending = await Promise.all(handles.map(pendingActivity));
    return pending.some((activity) =>
      /^not sent: .* credential default until \d{4}-\S+Z, after this error: Atlas returned 503/.test(
        activity?.lastFailure ?? '',
      ),
    );
  });
  await eventually('probes', () => probes() >= PROBES);
  atlas.clearFaults();
  const receipts = await Promise.all(handles.map((handle) => handle.result()));

  const failed = atlas.posts().filter(({ status }) => status === 503);
  const times = failed.map(({ startedAt }) => Date.parse(startedAt));
  const intervals = Math.floor((Math.max(...times) - Math.min(...times)) / PROBE_INTERVAL_MS);
  const unconfirmed = receipts.reduce((sum, { unconfirmedTokens }) => sum + unconfirmedTokens, 0);
  const failures = await Promise.all(handles.map(creationFailures));
  const others = failures.flat().filter((message) => !message.startsWith('Atlas returned 503'));
  expect(others.filter((message) => message !== LOST)).toEqual([]);
  expect(unconfirmed).toBe(failed.length + others.length);
  expect(failed.length).toBeLessThanOrEqual(RUNS_IN_OUTAGE + intervals);
  expect(atlas.createdTokens()).toHaveLength(RUNS_IN_OUTAGE);
  expect(deployment.tokenFiles()).toHaveLength(RUNS_IN_OUTAGE);
});
