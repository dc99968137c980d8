import type { Fault } from '../../../dev/atlas-emulator';
import { freePort } from '../../../dev/temporal/free-port';
import { FAILURE_TYPES } from '../../../src/contract/names';
import { alertRules, metricsIn } from '../../support/alerts';
import { startAtlas, type TestAtlas } from '../../support/atlas';
import { cleanUpLater } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { startMismatchedRun } from '../../support/foreign-run';
import { deploy, FILE_SINKS, type Deployment } from '../../support/installation';
import { endingOf, untilStep } from '../../support/runs';
import { runEvery, startScheduled } from '../../support/schedules';
import { scrape, valueOf, type Sample } from '../../support/scrape';
import { sharedTemporal } from '../../support/temporal';
import { page, tableBelow } from '../../unit/docs/markdown';

const on = 'linkTokens';

let atlas: TestAtlas;
let deployment: Deployment;
/** The port at which the worker serves its metrics. */
let port: number;
/** Samples of a worker that has done nothing. */
let first: Sample[];
/** Samples before the test. */
let before: Sample[];

beforeAll(async () => {
  atlas = await startAtlas();
  port = await freePort();
  deployment = await deploy({ atlas, config: { sinks: FILE_SINKS, metrics: { port } } });
  const { client } = await sharedTemporal();
  const mismatched = await startMismatchedRun(client, deployment.taskQueue);
  cleanUpLater(() => mismatched.terminate());
  await deployment.startWorker();
  first = await scrape(port);
});

beforeEach(async () => {
  before = await scrape(port);
});

const increase = (samples: Sample[], name: string, labels: Record<string, string> = {}) =>
  (valueOf(samples, name, labels) ?? 0) - (valueOf(before, name, labels) ?? 0);

/** Waits until a counter has risen by one in the test: a run's result is there before the worker has counted it. */
function untilCounted(name: string, labels: Record<string, string> = {}): Promise<Sample[]> {
  return eventually(`${name}${JSON.stringify(labels)}`, async () => {
    const samples = await scrape(port);
    return increase(samples, name, labels) === 1 && samples;
  });
}

const untilRunCounted = (outcome: string) => untilCounted('link_token_runs_total', { outcome });

async function ended(): Promise<string> {
  return (await endingOf(await deployment.start())).type;
}

async function failRound(): Promise<Sample[]> {
  const handle = await deployment.start(deployment.newRequest({ sink: 'rejects' }));
  await untilStep(handle, 'undelivered');
  return untilCounted('link_token_age_at_failed_round_seconds_count', { type: 'SinkRejected' });
}

async function refuseResult(): Promise<void> {
  // Shorter than the interval of heartbeats, whose response would cancel the attempt.
  atlas.faults({ on, delayMs: 2500 });
  const posts = atlas.posts().length;
  const handle = await deployment.start();
  await eventually('a POST', () => atlas.posts().length > posts);
  await handle.terminate();
  await untilCounted('temporal_request_failure_total', {
    operation: 'RespondActivityTaskCompleted',
    status_code: 'NOT_FOUND',
  });
}

const seriesOf = (samples: Sample[], metric: string) =>
  samples.filter(({ name }) => name === metric).map(({ labels }) => labels);

describe('the metrics of a worker count', () => {
  it('a clean run, in series that are there before: Prometheus sees no increase in one that appears', async () => {
    const runs = first.filter(({ name }) => name === 'link_token_runs_total');
    expect(runs.map(({ value }) => value)).toEqual(Array(2 + FAILURE_TYPES.length).fill(0));
    expect(valueOf(first, 'link_token_unconfirmed_total')).toBe(0);
    expect(valueOf(first, 'link_token_undelivered_runs')).toBe(0);
    expect(await ended()).toBe('delivered');
    const samples = await untilRunCounted('delivered');
    expect(seriesOf(samples, 'link_token_runs_total')).toEqual(runs.map(({ labels }) => labels));
    for (const activity of ['validateRequest', 'createLinkToken', 'deliverLinkToken'])
      expect(increase(samples, 'link_token_attempts_total', { activity, outcome: 'ok' })).toBe(1);
    expect(increase(samples, 'link_token_delivered_total', { sink: 'files' })).toBe(1);
  });

  it.each<[what: string, fault: Omit<Fault, 'on'>, status: string, retryable: string, unconfirmed: number]>([
    ['a retry that created nothing', { status: 429 }, '429', 'true', 0],
    [
      'an unconfirmed token, and no response',
      { afterCreating: true, reset: 'before-body' },
      'none',
      'false',
      1,
    ],
    ['a failed run', { status: 403 }, '403', 'false', 0],
  ])('%s', async (_what, fault, status, retryable, unconfirmed) => {
    atlas.faults({ ...fault, on });
    const samples = await untilRunCounted(await ended());
    const failed = { activity: 'createLinkToken', retryable };
    const succeeded = increase(samples, 'link_token_attempts_total', { ...failed, outcome: 'ok' });
    expect(increase(samples, 'link_token_attempts_total', failed) - succeeded).toBe(1);
    expect(increase(samples, 'atlas_request_duration_seconds_count', { endpoint: on, status })).toBe(1);
    expect(increase(samples, 'link_token_unconfirmed_total')).toBe(unconfirmed);
  });

  it('a schedule that failed before it started a run, in a series that was there before', async () => {
    const name = 'link_token_schedule_runs_total';
    atlas.faults({ on: 'availableProjects', status: 403 });
    await runEvery('1s', deployment.taskQueue, { request: deployment.newRequest() });
    const samples = await untilCounted(name, { outcome: 'AtlasRequestRejected' });
    expect(seriesOf(samples, name)).toEqual(seriesOf(before, name));
  });

  it('the outcomes of scheduled runs that did not fail', async () => {
    const request = deployment.newRequest();
    for (const outcome of ['prepared', 'recentToken'] as const) {
      expect(await (await startScheduled(deployment.taskQueue, { request })).result()).toMatchObject({
        outcome,
      });
      await untilCounted('link_token_schedule_runs_total', { outcome });
    }
  });

  it('no scheduled run that was cancelled, since it pauses no schedule', async () => {
    const checks = () => atlas.requestsOn('availableProjects').length;
    const checked = checks();
    atlas.faults({ on: 'availableProjects', delayMs: 1500, status: 500 });
    const handle = await startScheduled(deployment.taskQueue, { request: deployment.newRequest() });
    await eventually('the check', () => checks() > checked);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    const samples = await untilCounted('temporal_workflow_canceled_total');
    expect(increase(samples, 'link_token_schedule_runs_total')).toBe(0);
  });

  it('a failed round of delivery with the age of its token, and its run in a new worker, too', async () => {
    const samples = await failRound();
    const young = { type: 'SinkRejected', le: '60' };
    expect(increase(samples, 'link_token_age_at_failed_round_seconds_bucket', young)).toBe(1);

    const later = await freePort();
    deployment.configure({ sinks: FILE_SINKS, metrics: { port: later } });
    const worker = await deployment.startWorker();
    await eventually('an undelivered run', async () =>
      valueOf(await scrape(later), 'link_token_undelivered_runs'),
    );
    await worker.stop();
  });
});

describe('the metrics of a worker', () => {
  let samples: Sample[];
  beforeAll(async () => {
    before = await scrape(port);
    await failRound();
    await refuseResult();
    await ended();
    samples = await eventually('what comes late', async () => {
      const scraped = await scrape(port);
      const late = ['temporal_workflow_task_execution_failed_total', 'link_token_delivered_total'];
      return late.every((name) => valueOf(scraped, name) !== null) && scraped;
    });
  });

  it('include each that the alerts name', () => {
    const named = alertRules().flatMap(metricsIn);
    expect(named.filter((metric) => valueOf(samples, metric) === null)).toEqual([]);
  });

  it('are those that docs/production.md lists, and nothing else of ours', () => {
    const ours = samples
      .filter(({ name }) => !name.startsWith('temporal_'))
      .map(({ name }) => name.replace(/_(bucket|count|sum)$/, ''));
    const listed = tableBelow(page('docs/production.md'), 'Metrics and alerts')
      .flatMap(([cell = '']) => [...cell.matchAll(/`([a-z_]+)/g)].map(([, name = '']) => name))
      .filter((name) => name !== 'temporal_');
    expect(listed.sort()).toEqual([...new Set(ours)].sort());
  });

  it('name no organization', () => {
    const values = samples.flatMap(({ labels }) => Object.values(labels));
    expect(values).toContain(deployment.taskQueue);
    expect(values.filter((value) => /[a-f0-9]{24}/.test(value) && value !== deployment.taskQueue)).toEqual(
      [],
    );
  });
});
