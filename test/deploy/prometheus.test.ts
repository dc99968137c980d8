import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { startChildProcess } from '../../dev/temporal/child-process';
import { freePort } from '../../dev/temporal/free-port';
import { cleanUpLater, newFolder } from '../support/clean-up';
import { readDashboard } from '../support/dashboard';
import { eventually } from '../support/eventually';
import { fetchOnce } from '../support/fetch-once';
import { newOrgId } from '../support/ids';
import { startSystem } from '../support/installation';
import { endingOf, untilStep } from '../support/runs';
import { startScheduled } from '../support/schedules';
import { untilScraped } from '../support/scrape';
import { setUp } from '../support/set-up';
import { sharedTemporal } from '../support/temporal';

const JOB = 'live-migration-prep';

/** The variables of Grafana, for a dashboard that shows five minutes. */
const VARIABLES = { job: JOB, __range: '5m', __rate_interval: '5m' };

type Labels = Readonly<Record<string, string>>;

interface PodMonitor {
  spec: {
    podMetricsEndpoints: [
      { metricRelabelings: { action: string; sourceLabels: string[]; regex: string }[] },
    ];
  };
}

/** A worker, and the Prometheus that scrapes it. */
const fixture = setUp(async () => {
  const port = await freePort();
  const { atlas, installation } = await startSystem({ config: { metrics: { port } } });
  const ask = await startPrometheus(port);
  // It sees an increase only in what it has seen at 0.
  await eventually('a scrape', async () => (await ask('link_token_runs_total')).length);
  return { atlas, installation, port, ask };
});

it('Prometheus answers each query of the dashboard with the labels of its legend', async () => {
  const { atlas, installation, ask } = fixture();
  await endingOf(await installation.start());
  const rejected = installation.newRequest({ sink: 'rejects' });
  await untilStep(await installation.start(rejected), 'undelivered');
  atlas.faults({ on: 'availableProjects', status: 403 });
  await startScheduled(installation.taskQueue, { request: installation.newRequest() });

  for (const { title, targets } of readDashboard(VARIABLES).panels) {
    for (const { expr, legendFormat } of targets) {
      const answer = await eventually(`an answer for ${title}`, async () => {
        const series = await ask(expr);
        return series.length > 0 && series;
      });
      const named = [...legendFormat.matchAll(/{{(\w+)}}/g)].map(([, label]) => label).sort();
      expect([title, ...answer.map((labels) => Object.keys(labels).sort())]).toEqual([
        title,
        ...answer.map(() => named),
      ]);
    }
  }
});

// It scrapes what the runs of the test above left.
it('Prometheus keeps the series of our types, and none of types that others invent', async () => {
  const { installation, port, ask } = fixture();
  const { taskQueue } = installation;
  const { client } = await sharedTemporal();
  await installation.runClient('doctor', '--remote');
  const id = `invented-${newOrgId()}`;
  await client.workflow.start('inventedWorkflow', { workflowId: id, taskQueue });
  await client.activity.start('inventedActivity', { id, taskQueue, startToCloseTimeout: '1m' });
  await untilScraped(port, 'temporal_workflow_failed_total', { workflow_type: 'inventedWorkflow' });
  const failed = 'temporal_activity_execution_failed_total';
  const samples = await untilScraped(port, failed, { activity_type: 'inventedActivity' });

  const since = Date.now() / 1000;
  await eventually('the next scrape', async () => (await ask(`timestamp(up) > ${since}`)).length);
  const kept = await ask(`{job="${JOB}"}`);
  const offered = samples.map(({ labels }) => labels);
  expect(offered.filter(isInvented)).not.toEqual([]);
  expect(kept.filter(isInvented)).toEqual([]);
  const ours = offered.filter((labels) => !isInvented(labels));
  for (const label of ['workflow_type', 'activity_type']) {
    expect(valuesOf(label, kept)).toEqual(valuesOf(label, ours));
  }
});

const isInvented = (labels: Labels) => JSON.stringify(labels).includes('invented');

const valuesOf = (label: string, series: readonly Labels[]) =>
  [...new Set(series.flatMap(({ [label]: value }) => value ?? []))].sort();

/** How the PodMonitor has Prometheus filter what it scrapes, as Prometheus's own configuration. */
function readRelabelings(): object[] {
  const file = path.join(__dirname, '../../deploy/kubernetes/monitoring/pod-monitor.yaml');
  const { spec } = parse(readFileSync(file, 'utf8')) as PodMonitor;
  return spec.podMetricsEndpoints[0].metricRelabelings.map(
    ({ action, sourceLabels, regex, ...others }) => {
      expect(others).toEqual({});
      return { action, source_labels: sourceLabels, regex };
    },
  );
}

/**
 * Starts a Prometheus that scrapes a worker every second, as our PodMonitor says.
 *
 * @returns a function that asks for the labels of each series that answers a query; it throws Error
 *   when Prometheus refuses the query.
 */
async function startPrometheus(workerPort: number): Promise<(query: string) => Promise<Labels[]>> {
  const [folder, port] = [newFolder(), await freePort()];
  const file = path.join(folder, 'prometheus.yaml');
  const targets = [`127.0.0.1:${workerPort}`];
  const config = {
    global: { scrape_interval: '1s' },
    scrape_configs: [
      {
        job_name: JOB,
        static_configs: [{ targets }],
        metric_relabel_configs: readRelabelings(),
      },
    ],
  };
  writeFileSync(file, JSON.stringify(config));
  mkdirSync(path.join(folder, 'data'));
  const args = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${path.join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  const logFile = path.join(folder, 'prometheus.log');
  const prometheus = startChildProcess('prometheus', args, { env: process.env, logFile });
  cleanUpLater(() => prometheus.end('SIGKILL'));
  await prometheus.untilOutput(/Server is ready/);

  return async (query) => {
    const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`;
    const response = await fetchOnce(url);
    if (!response.ok) throw new Error(`${query}: ${await response.text()}`);
    const { data } = (await response.json()) as { data: { result: { metric: Labels }[] } };
    return data.result.map(({ metric }) => metric);
  };
}
