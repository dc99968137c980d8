import { setTimeout as sleep } from 'node:timers/promises';
import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { deploy, startInstallation, type Deployment, type Handle } from '../../support/installation';
import { pendingActivity } from '../../support/runs';

const on = 'linkTokens';
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

const startMany = (deployment: Deployment, count: number) =>
  Promise.all(Array.from({ length: count }, () => deployment.start()));

/**
 * Reads the end of each attempt that may have created a token: Temporal retries the others, without a trace.
 *
 * @returns for each run, the failures, and how many attempts timed out: a server that is short of time may lose a few
 *   tasks on their way to the worker, which are counted, too.
 */
async function failuresOf(handles: Handle[]): Promise<{ failures: string[]; lost: number }[]> {
  const histories = await Promise.all(handles.map((handle) => handle.fetchHistory()));
  return histories.map(({ events }) => {
    const failed = (events ?? []).flatMap((event) => event.activityTaskFailedEventAttributes ?? []);
    const lost = (events ?? []).filter((event) => event.activityTaskTimedOutEventAttributes).length;
    return { failures: failed.map(({ failure }) => failure?.message ?? ''), lost };
  });
}

it(`${RUNS} runs that Atlas turned away with 429 come back not early, and all finish`, async () => {
  const atlas = await startAtlas();
  const deployment = await deploy({ atlas, config: PATIENT });
  const headers = { 'retry-after': String(RETRY_AFTER_MS / 1000) };
  atlas.faults({ on, probability: 1, status: 429, errorCode: 'RATE_LIMITED', headers });

  // Started before there is a worker, so that all of them meet Atlas at once.
  const handles = await startMany(deployment, RUNS);
  await deployment.startWorker();
  await eventually('a request', () => atlas.posts().length > 0);
  // Later only adds requests that are turned away.
  await sleep(RETRY_AFTER_MS / 2);
  atlas.clearFaults();
  const receipts = await Promise.all(handles.map((handle) => handle.result()));

  const runs = await failuresOf(handles);
  expect(runs.flatMap(({ failures }) => failures)).toEqual([]);
  expect(receipts.map(({ unconfirmedTokens }) => unconfirmedTokens)).toEqual(runs.map(({ lost }) => lost));
  expect(atlas.createdTokens()).toHaveLength(RUNS);
  expect(deployment.tokenFiles()).toHaveLength(RUNS);

  const timesOf = (wanted: number) =>
    atlas.posts().flatMap(({ status, startedAt }) => (status === wanted ? [Date.parse(startedAt)] : []));
  const [turnedAway, created] = [timesOf(429), timesOf(201)];
  expect(turnedAway.length + created.length).toBe(atlas.posts().length);
  expect(Math.min(...created) - Math.min(...turnedAway)).toBeGreaterThanOrEqual(RETRY_AFTER_MS);
});

it(`${RUNS_IN_OUTAGE} runs in an outage leave a token each and one for each probe, and then deliver`, async () => {
  const create = { initialIntervalMs: 2 * PROBE_INTERVAL_MS, maximumIntervalMs: 2 * PROBE_INTERVAL_MS };
  const { atlas, deployment } = await startInstallation({ config: { ...PATIENT, retries: { create } } });
  atlas.faults({ on, probability: 1, status: 503 });
  const handles = await startMany(deployment, RUNS_IN_OUTAGE);

  const times = () => atlas.posts().map(({ startedAt }) => Date.parse(startedAt));
  const probes = () => times().filter((time, _index, [first = 0]) => time >= first + PROBE_INTERVAL_MS);
  await eventually('a failure that says until when no request is sent', async () => {
    const pending = await Promise.all(handles.map(pendingActivity));
    return pending.some((activity) =>
      /^not sent: .* credential default until \d{4}-\S+Z, after this error: Atlas returned 503/.test(
        activity?.lastFailure ?? '',
      ),
    );
  });
  await eventually('probes', () => probes().length >= PROBES);
  atlas.clearFaults();
  const receipts = await Promise.all(handles.map((handle) => handle.result()));

  const runs = await failuresOf(handles);
  const failures = runs.flatMap((run) => run.failures);
  expect(failures.filter((message) => !message.startsWith('Atlas returned 503'))).toEqual([]);
  expect(receipts.map(({ unconfirmedTokens }) => unconfirmedTokens)).toEqual(
    runs.map((run) => run.failures.length + run.lost),
  );
  const failed = atlas.posts().filter(({ status }) => status === 503);
  expect(failures).toHaveLength(failed.length);
  const failedAt = failed.map(({ startedAt }) => Date.parse(startedAt));
  const intervals = Math.floor((Math.max(...failedAt) - Math.min(...failedAt)) / PROBE_INTERVAL_MS);
  expect(failed.length).toBeLessThanOrEqual(RUNS_IN_OUTAGE + intervals);
  expect(atlas.createdTokens()).toHaveLength(RUNS_IN_OUTAGE);
  expect(deployment.tokenFiles()).toHaveLength(RUNS_IN_OUTAGE);
});
