import { freePort } from '../../../dev/temporal/free-port';
import { FAILURE_TYPES, WORKFLOW_TYPES } from '../../../src/contract/names';
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
  atlas.faults({ on, delayMs: 500 });
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
  it('nothing at first, in series that go on: Prometheus sees no increase in one that appears with 1', async () => {
    const runs = first.filter(({ name }) => name === 'link_token_runs_total');
    expect(runs.map(({ value }) => value)).toEqual(Array(2 + FAILURE_TYPES.length).fill(0));
    expect(valueOf(first, 'link_token_unconfirmed_total')).toBe(0);
    expect(valueOf(first, 'link_token_undelivered_runs')).toBe(0);
    expect(await ended()).toBe('delivered');
    const samples = await untilRunCounted('delivered');
    expect(seriesOf(samples, 'link_token_runs_total')).toEqual(runs.map(({ labels }) => labels));
  });

  it('a clean run: one attempt of each activity, one request, one delivery', async () => {
    expect(await ended()).toBe('delivered');
    const samples = await untilRunCounted('delivered');
    for (const activity of ['validateRequest', 'createLinkToken', 'deliverLinkToken'])
      expect(increase(samples, 'link_token_attempts_total', { activity, outcome: 'ok' })).toBe(1);
    expect(increase(samples, 'link_token_delivered_total', { sink: 'files' })).toBe(1);
    const created = { endpoint: on, status: '201' };
    expect(increase(samples, 'atlas_request_duration_seconds_count', created)).toBe(1);
    expect(increase(samples, 'link_token_unconfirmed_total')).toBe(0);
  });

  it('a retry that created nothing', async () => {
    atlas.faults({ on, status: 429 });
    expect(await ended()).toBe('delivered');
    const labels = { activity: 'createLinkToken', outcome: 'AtlasUnavailable', retryable: 'true' };
    const samples = await untilCounted('link_token_attempts_total', labels);
    const refused = { endpoint: on, status: '429' };
    expect(increase(samples, 'atlas_request_duration_seconds_count', refused)).toBe(1);
    expect(increase(samples, 'link_token_unconfirmed_total')).toBe(0);
  });

  it('an unconfirmed token, and a request without a response', async () => {
    atlas.faults({ on, afterCreating: true, reset: 'before-body' });
    expect(await ended()).toBe('delivered');
    const samples = await untilCounted('link_token_unconfirmed_total');
    const lost = { endpoint: on, status: 'none' };
    expect(increase(samples, 'atlas_request_duration_seconds_count', lost)).toBe(1);
  });

  it('a failed run', async () => {
    atlas.faults({ on, status: 403 });
    expect(await ended()).toBe('AtlasRequestRejected');
    await untilRunCounted('AtlasRequestRejected');
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
    const labels = { workflow_type: WORKFLOW_TYPES.prepareOnSchedule };
    const samples = await untilCounted('temporal_workflow_canceled_total', labels);
    expect(increase(samples, 'link_token_schedule_runs_total')).toBe(0);
  });

  it('a failed round of delivery with the age of its token, and its run, also in a new worker', async () => {
    const samples = await failRound();
    const young = { type: 'SinkRejected', le: '60' };
    expect(increase(samples, 'link_token_age_at_failed_round_seconds_bucket', young)).toBe(1);

    const later = await freePort();
    deployment.configure({ sinks: FILE_SINKS, metrics: { port: later } });
    const worker = await deployment.startWorker();
    const seen = await eventually('an undelivered run', async () => {
      const scraped = await scrape(later);
      return Number(valueOf(scraped, 'link_token_undelivered_runs')) > 0 && scraped;
    });
    await worker.stop();
    expect(valueOf(seen, 'link_token_undelivered_oldest_run_age_seconds')).toBeGreaterThanOrEqual(0);
    expect(valueOf(seen, 'link_token_age_at_failed_round_seconds_count')).toBeNull();
  });
});

describe('the metrics of a worker', () => {
  let samples: Sample[];
  beforeAll(async () => {
    before = await scrape(port);
    await failRound();
    await refuseResult();
    expect(await ended()).toBe('delivered');
    samples = await eventually('a failed workflow task, and what is undelivered', async () => {
      const scraped = await scrape(port);
      const names = scraped.map(({ name }) => name);
      const late = [
        'temporal_workflow_task_execution_failed_total',
        'link_token_undelivered_oldest_run_age_seconds',
        'link_token_delivered_total',
      ];
      return late.every((name) => names.includes(name)) && scraped;
    });
  });

  it('include whatever the alerts name', () => {
    const named = alertRules().flatMap(metricsIn);
    expect(named.filter((metric) => !samples.some(({ name }) => name === metric))).toEqual([]);
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
    expect(values.filter((value) => value.includes(atlas.account.orgId))).toEqual([]);
    expect(values.filter((value) => /[a-f0-9]{24}/.test(value) && value !== deployment.taskQueue)).toEqual(
      [],
    );
  });
});
