import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { startChildProcess } from '../../dev/temporal/child-process';
import { freePort } from '../../dev/temporal/free-port';
import { cleanUpLater, newFolder } from '../support/clean-up';
import { readDashboard } from '../support/dashboard';
import { eventually } from '../support/eventually';
import { fetchOnce } from '../support/fetch-once';
import { startSystem } from '../support/installation';
import { endingOf, untilStep } from '../support/runs';
import { startScheduled } from '../support/schedules';

const JOB = 'live-migration-prep';

/** The variables of Grafana, for a dashboard that shows five minutes. */
const VARIABLES = { job: JOB, __range: '5m', __rate_interval: '5m' };

/** The labels of each series of Prometheus's answer. */
type Answer = Record<string, string>[];

it('Prometheus answers each query with the labels that the legend names', async () => {
  const port = await freePort();
  const { atlas, installation } = await startSystem({ config: { metrics: { port } } });
  const ask = await startPrometheus(port);
  // It sees an increase only in what it has seen at 0.
  await eventually('a scrape', async () => (await ask('link_token_runs_total')).length);

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

/**
 * Starts a Prometheus that scrapes a worker every second.
 *
 * @returns a function that throws Error when Prometheus refuses a query.
 */
async function startPrometheus(workerPort: number): Promise<(query: string) => Promise<Answer>> {
  const [folder, port] = [newFolder(), await freePort()];
  const file = path.join(folder, 'prometheus.yaml');
  const targets = [`127.0.0.1:${workerPort}`];
  const config = {
    global: { scrape_interval: '1s' },
    scrape_configs: [{ job_name: JOB, static_configs: [{ targets }] }],
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
    const { data } = (await response.json()) as { data: { result: { metric: Answer[0] }[] } };
    return data.result.map(({ metric }) => metric);
  };
}
