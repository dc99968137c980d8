import { freePort } from '../../../dev/temporal/free-port';
import { FAILURE_TYPES, WORKFLOW_TYPES } from '../../../src/contract/names';
import type { ScheduledRequest, ScheduledResult } from '../../../src/contract/schemas';
import { alertRules, metricsIn } from '../../support/alerts';
import type { TestAtlas } from '../../support/atlas';
import { cleanUpLater } from '../../support/clean-up';
import type { Deployment } from '../../support/deployment';
import { endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { startMismatchedRun } from '../../support/foreign-run';
import { newOrgId } from '../../support/ids';
import { deploy, sharedTemporal, startAtlas } from '../../support/installation';
import { runEvery } from '../../support/schedules';
import { scrape, valueOf, type Sample } from '../../support/scrape';
import { untilStep } from '../../support/updates';
import { page, tableBelow } from '../../unit/docs/markdown';

jest.setTimeout(60_000);

const on = 'linkTokens';

let atlas: TestAtlas;
let deployment: Deployment;
/** Where the first worker serves its metrics. */
let port: number;
/** Metrics ports of all workers. */
const ports: number[] = [];

const CONFIG = {
  sinks: {
    files: { type: 'file', directory: 'tokens' },
    rejects: { type: 'file', directory: 'sealing-keys.json' },
  },
};

beforeAll(async () => {
  atlas = await startAtlas();
  port = await freePort();
  ports.push(port);
  deployment = await deploy({ atlas, config: { ...CONFIG, metrics: { port } } });
  const { client } = await sharedTemporal();
  const mismatched = await startMismatchedRun(client, deployment.taskQueue);
  cleanUpLater(() => mismatched.terminate());
  await deployment.startWorker();
});

/** Waits until the metrics say so: a run's result is there before the worker has counted it. */
function untilCounted(name: string, labels: Record<string, string>, value: number, at = port) {
  return eventually(`${name}${JSON.stringify(labels)} = ${value}`, async () => {
    const samples = await scrape(at);
    return valueOf(samples, name, labels) === value && samples;
  });
}

/** Starts what a schedule starts. */
async function startScheduled(request = deployment.newRequest()) {
  const { client } = await sharedTemporal();
  return client.workflow.start<(input: ScheduledRequest) => Promise<ScheduledResult>>(
    WORKFLOW_TYPES.prepareOnSchedule,
    { workflowId: `once-${newOrgId()}`, taskQueue: deployment.taskQueue, args: [{ request }] },
  );
}

async function ended(sink = 'files'): Promise<string> {
  return (await endingOf(await deployment.start(deployment.newRequest({ sink })))).type;
}

describe('the metrics of a worker count', () => {
  it('nothing at first, in series that go on: Prometheus sees no increase in one that appears with 1', async () => {
    const first = await scrape(port);
    expect(valueOf(first, 'link_token_unconfirmed_total')).toBe(0);
    const before = first.filter(({ name }) => name === 'link_token_runs_total');
    expect(before.map(({ value }) => value)).toEqual(Array(2 + FAILURE_TYPES.length).fill(0));
    expect(await ended()).toBe('delivered');
    const samples = await untilCounted('link_token_runs_total', { outcome: 'delivered' }, 1);
    const after = samples.filter(({ name }) => name === 'link_token_runs_total');
    expect(after.map(({ labels }) => labels)).toEqual(before.map(({ labels }) => labels));
  });

  it('a clean run: one attempt of each activity, one request, one delivery', async () => {
    const samples = await scrape(port);
    for (const activity of ['validateRequest', 'createLinkToken', 'deliverLinkToken']) {
      expect(valueOf(samples, 'link_token_attempts_total', { activity, outcome: 'ok' })).toBe(1);
    }
    expect(valueOf(samples, 'link_token_delivered_total', { sink: 'files' })).toBe(1);
    expect(valueOf(samples, 'atlas_request_duration_seconds_count', { endpoint: on, status: '201' })).toBe(1);
    expect(
      valueOf(samples, 'atlas_request_duration_seconds_count', { endpoint: 'oauthToken', status: '200' }),
    ).toBe(1);
    expect(valueOf(samples, 'link_token_unconfirmed_total')).toBe(0);
    expect(valueOf(samples, 'link_token_undelivered_runs')).toBe(0);
    expect(valueOf(samples, 'link_token_undelivered_checks_total', { outcome: 'ok' })).toBe(1);
  });

  it('a retry that created nothing', async () => {
    atlas.faults({ on, status: 429 });
    expect(await ended()).toBe('delivered');
    const labels = { activity: 'createLinkToken', outcome: 'AtlasUnavailable', retryable: 'true' };
    const samples = await untilCounted('link_token_attempts_total', labels, 1);
    expect(valueOf(samples, 'atlas_request_duration_seconds_count', { endpoint: on, status: '429' })).toBe(1);
    expect(valueOf(samples, 'link_token_unconfirmed_total')).toBe(0);
  });

  it('an unconfirmed token, and a request without a response', async () => {
    atlas.faults({ on, afterCreating: true, reset: 'before-body' });
    expect(await ended()).toBe('delivered');
    const samples = await untilCounted('link_token_unconfirmed_total', {}, 1);
    expect(valueOf(samples, 'atlas_request_duration_seconds_count', { endpoint: on, status: 'none' })).toBe(
      1,
    );
  });

  it('a failed run', async () => {
    atlas.faults({ on, status: 403 });
    expect(await ended()).toBe('AtlasRequestRejected');
    await untilCounted('link_token_runs_total', { outcome: 'AtlasRequestRejected' }, 1);
  });

  it('a schedule that failed before it started a run, in a series that was there before', async () => {
    const name = 'link_token_schedule_runs_total';
    const seriesOf = (samples: Sample[]) =>
      samples.filter((one) => one.name === name).map((one) => one.labels);
    const before = seriesOf(await scrape(port));
    atlas.faults({ on: 'availableProjects', status: 403 });
    await runEvery('1s', deployment.taskQueue, { request: deployment.newRequest() });
    const samples = await untilCounted(name, { outcome: 'AtlasRequestRejected' }, 1);
    expect(valueOf(samples, name)).toBe(1);
    expect(seriesOf(samples)).toEqual(before);
  });

  it('the outcomes of scheduled runs that did not fail', async () => {
    const request = deployment.newRequest();
    for (const outcome of ['prepared', 'recentToken'] as const) {
      expect(await (await startScheduled(request)).result()).toMatchObject({ outcome });
      await untilCounted('link_token_schedule_runs_total', { outcome }, 1);
    }
  });

  it('no scheduled run that was cancelled, since it pauses no schedule', async () => {
    const checks = () => atlas.requestsOn('availableProjects').length;
    const [before, counted] = [checks(), valueOf(await scrape(port), 'link_token_schedule_runs_total')];
    atlas.faults({ on: 'availableProjects', delayMs: 1500, status: 500 });
    const handle = await startScheduled();
    await eventually('the check', () => checks() > before);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    const labels = { workflow_type: WORKFLOW_TYPES.prepareOnSchedule };
    const samples = await untilCounted('temporal_workflow_canceled_total', labels, 1);
    expect(valueOf(samples, 'link_token_schedule_runs_total')).toBe(counted);
  });

  it('a failed round of delivery, with the age of its token', async () => {
    const handle = await deployment.start(deployment.newRequest({ sink: 'rejects' }));
    await untilStep(handle, 'undelivered');
    const labels = { type: 'SinkRejected' };
    const samples = await untilCounted('link_token_age_at_failed_round_seconds_count', labels, 1);
    expect(valueOf(samples, 'link_token_age_at_failed_round_seconds_bucket', { ...labels, le: '60' })).toBe(
      1,
    );
  });

  it('an undelivered run, also in a worker that has just started', async () => {
    const later = await freePort();
    ports.push(later);
    deployment.configure({ ...CONFIG, metrics: { port: later } });
    await deployment.startWorker();
    const samples = await untilCounted('link_token_undelivered_runs', {}, 1, later);
    expect(valueOf(samples, 'link_token_undelivered_oldest_run_age_seconds')).toBeGreaterThanOrEqual(0);
    expect(valueOf(samples, 'link_token_age_at_failed_round_seconds_count')).toBeNull();
  });

  it('the refused result of a run that was terminated', async () => {
    atlas.faults({ on, delayMs: 500 });
    const before = atlas.posts().length;
    const handle = await deployment.start();
    await eventually('a POST', () => atlas.posts().length > before);
    await handle.terminate();
    const labels = { operation: 'RespondActivityTaskCompleted', status_code: 'NOT_FOUND' };
    await eventually('a refused result', async () => {
      const scrapes = await Promise.all(ports.map(scrape));
      return scrapes.some((samples) => valueOf(samples, 'temporal_request_failure_total', labels) === 1);
    });
  });

  it('a workflow task that fails', async () => {
    await eventually('a failed workflow task', async () => {
      const scrapes = await Promise.all(ports.map(scrape));
      return scrapes.some((samples) => valueOf(samples, 'temporal_workflow_task_execution_failed_total'));
    });
  });

  it('whatever the alerts name', async () => {
    const scraped = (await Promise.all(ports.map(scrape))).flat().map(({ name }) => name);
    expect(
      alertRules()
        .flatMap(metricsIn)
        .filter((name) => !scraped.includes(name)),
    ).toEqual([]);
  });

  it('what docs/production.md lists, and nothing else of ours', async () => {
    const scraped = (await Promise.all(ports.map(scrape))).flat().map(({ name }) => name);
    const ours = scraped
      .filter((name) => !name.startsWith('temporal_'))
      .map((name) => name.replace(/_(bucket|count|sum)$/, ''));
    const listed = tableBelow(page('docs/production.md'), 'Metrics and alerts')
      .flatMap(([cell = '']) => [...cell.matchAll(/`([a-z_]+)/g)].map(([, name = '']) => name))
      .filter((name) => name !== 'temporal_');
    expect(listed.sort()).toEqual([...new Set(ours)].sort());
  });

  it('and name no organization', async () => {
    const values = (await Promise.all(ports.map(scrape)))
      .flat()
      .flatMap(({ labels }) => Object.values(labels));
    expect(values.filter((value) => value.includes(atlas.account.orgId))).toEqual([]);
    expect(values.filter((value) => /[a-f0-9]{24}/.test(value) && value !== deployment.taskQueue)).toEqual(
      [],
    );
  });
});
