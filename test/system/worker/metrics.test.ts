import { freePort } from '../../../dev/temporal/free-port';
import { FAILURE_TYPES } from '../../../src/contract/failure-types';
import { alertRules } from '../../support/alerts';
import { startAtlas } from '../../support/atlas';
import { cleanUpLater } from '../../support/clean-up';
import { readDashboard } from '../../support/dashboard';
import { eventually } from '../../support/eventually';
import { startMismatchedRun } from '../../support/forged-run';
import { install, FILE_SINKS, type Installation } from '../../support/installation';
import { matchesIn, page, sectionBelow } from '../../support/markdown';
import { endingOf, refuseResult, untilStep } from '../../support/runs';
import { startScheduled } from '../../support/schedules';
import { scrape, untilScraped, type Sample } from '../../support/scrape';
import { serveRejectingGrpcProxy } from '../../support/servers';
import { sharedTemporal } from '../../support/temporal';

/** A status of gRPC that Core does not retry, and with which a worker starts all the same. */
const FAILED_PRECONDITION = 9;

let installation: Installation;
/** Samples of a worker that has done nothing yet. */
let first: Sample[];
/** Samples of the same worker after the runs below. */
let last: Sample[];

/** Makes a run of each kind that a metric counts. */
beforeAll(async () => {
  const atlas = await startAtlas();
  const port = await freePort();
  installation = await install({ atlas, config: { sinks: FILE_SINKS, metrics: { port } } });
  const { client } = await sharedTemporal();
  const mismatched = await startMismatchedRun(client, installation.taskQueue);
  cleanUpLater(() => mismatched.terminate());
  await installation.startWorker();
  first = await scrape(port);

  const on = 'availableProjects';
  const request = installation.newRequest();
  const schedule = () => startScheduled(installation.taskQueue, { request });
  atlas.faults({ on, status: 403 });
  await expect((await schedule()).result()).rejects.toThrow();
  atlas.faults({ on, delayMs: 60_000, status: 500 });
  const cancelledRun = await schedule();
  await eventually('its check', () => atlas.requestsOn(on).length === 2);
  await cancelledRun.cancel();
  await eventually('the cancel of its check', async () =>
    (await cancelledRun.fetchHistory()).events?.some(
      (event) => event.activityTaskCancelRequestedEventAttributes,
    ),
  );
  atlas.clearFaults();
  await expect(cancelledRun.result()).rejects.toThrow();
  for (const outcome of ['prepared', 'recentToken']) {
    expect(await (await schedule()).result()).toMatchObject({ outcome });
  }

  await refuseResult({ atlas, installation }, port);
  atlas.faults([
    { on: 'linkTokens', status: 429 },
    { on: 'linkTokens', afterCreating: true, reset: 'before-body' },
    { on: 'linkTokens', status: 403 },
  ]);
  await endingOf(await installation.start());
  await endingOf(await installation.start());
  await untilStep(
    await installation.start(installation.newRequest({ sink: 'rejects' })),
    'undelivered',
  );
  last = await untilScraped(port, 'temporal_activity_execution_failed_total', {
    activity_type: 'deliverLinkToken',
  });
});

/** The labels of each sample of a metric, with its value. */
const seriesOf = (samples: Sample[], metric: string) =>
  samples
    .filter(({ name }) => name === metric)
    .map(({ labels, value }) => [labels, value] as const);

/** The values of a metric that are not 0, by the labels that are named. */
function counted(metric: string, ...names: string[]): Record<string, number> {
  const series = seriesOf(last, metric).filter(([, value]) => value > 0);
  return Object.fromEntries(
    series.map(([labels, value]) => [names.map((name) => labels[name]).join(' '), value]),
  );
}

describe('the metrics of a worker', () => {
  it('count runs, schedules and failed attempts, and no cancelled run', () => {
    expect(counted('link_token_runs_total', 'outcome')).toEqual({
      AtlasRequestRejected: 1,
      delivered: 2,
    });
    const ofSchedules = (ending: string) =>
      counted(`temporal_workflow_${ending}_total`, 'workflow_type')['prepareOnSchedule'];
    expect([ofSchedules('failed'), ofSchedules('completed')]).toEqual([1, 2]);
    expect(counted('link_token_unconfirmed_total')).toEqual({ '': 1 });
    expect(counted('link_token_delivered_total', 'sink')).toEqual({ files: 2 });
    expect(counted('temporal_activity_execution_failed_total', 'activity_type')).toEqual({
      checkLink: 2,
      createLinkToken: 3,
      deliverLinkToken: 1,
    });
    expect(counted('atlas_request_duration_seconds_count', 'endpoint', 'status')).toMatchObject({
      'linkTokens 201': 4,
      'linkTokens 403': 1,
      'linkTokens 429': 1,
      'linkTokens none': 1,
    });
  });

  it('of runs start at 0 before the first run', () => {
    // Prometheus sees no increase in a series that appears.
    for (const [name, count] of [
      ['runs', 2 + FAILURE_TYPES.length],
      ['unconfirmed', 1],
    ] as const) {
      const series = seriesOf(last, `link_token_${name}_total`);
      expect([name, series.length]).toEqual([name, count]);
      expect(seriesOf(first, `link_token_${name}_total`)).toEqual(
        series.map(([labels]) => [labels, 0]),
      );
    }
  });

  it('include what each alert and each panel of the dashboard selects', () => {
    const alerts = alertRules().map(({ expr }) => expr);
    const queries = readDashboard().panels.flatMap(({ targets }) =>
      targets.map(({ expr }) => expr),
    );
    const selectors = [...alerts, ...queries].flatMap(
      (expr) => expr.match(/\b(temporal|link|atlas)_\w+({.*?})?/g) ?? [],
    );
    const missing = selectors.filter(
      (selector) => !last.some((sample) => isSelected(sample, selector)),
    );
    // Temporal has refused no count here, and nothing that a run writes.
    expect(missing).toEqual([
      'link_token_overdue_checks_total{outcome="failed"}',
      expect.stringContaining('operation="RespondWorkflowTaskCompleted"'),
    ]);
  });

  it('are those that docs/production.md lists, and no others of ours', () => {
    const ours = last
      .filter(({ name }) => !name.startsWith('temporal_'))
      .map(({ name }) => name.replace(/_(bucket|count|sum)$/, ''));
    const metrics = matchesIn(
      sectionBelow(page('docs/production.md'), 'Metrics and alerts'),
      /^- `([a-z_]+)/gm,
    ).filter((name) => name !== 'temporal_');
    expect(metrics.sort()).toEqual([...new Set(ours)].sort());
  });

  it('name no organization', () => {
    const values = last.flatMap(({ labels }) => Object.values(labels));
    expect(values).toContain(installation.taskQueue);
    const ids = values.filter(
      (value) => /[a-f0-9]{24}/.test(value) && value !== installation.taskQueue,
    );
    expect(ids).toEqual([]);
  });

  it('say that overdue runs cannot be counted', async () => {
    const { address } = await sharedTemporal();
    const refusing = await serveRejectingGrpcProxy(
      address,
      /\/CountWorkflowExecutions$/,
      FAILED_PRECONDITION,
    );
    const port = await freePort();
    installation.configure({ sinks: FILE_SINKS, metrics: { port } });
    await installation.startWorker({ TEMPORAL_ADDRESS: refusing.address });
    await untilScraped(port, 'link_token_overdue_checks_total', { outcome: 'failed' });
  });
});

/** Tells whether a PromQL selector matches, except for the label `job`, which Prometheus adds. */
function isSelected({ name, labels }: Sample, selector: string): boolean {
  const matchers = [...selector.matchAll(/(\w+)(=|=~|!~)"(.*?)"/g)].filter(
    ([, label]) => label !== 'job',
  );
  return (
    selector.split('{')[0] === name &&
    matchers.every(([, label = '', operator, pattern = '']) => {
      const matches = new RegExp(`^(${pattern})$`).test(labels[label] ?? '');
      return matches === (operator !== '!~');
    })
  );
}
