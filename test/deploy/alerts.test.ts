import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../dev/temporal/free-port';
import { ALERTS_FOLDER, alertRules } from '../support/alerts';
import { newFolder } from '../support/clean-up';
import { startSystem } from '../support/installation';
import { endingOf, refuseResult } from '../support/runs';
import { startScheduled } from '../support/schedules';
import { untilScraped, type Sample } from '../support/scrape';

const promtool = (...args: string[]) => promisify(execFile)('promtool', args);

it.each([
  ['check', 'alerts.yaml'],
  ['test', 'alerts.test.yaml'],
])('promtool %s rules %s', async (verb, file) => {
  await promtool(verb, 'rules', path.join(ALERTS_FOLDER, file));
});

it('no alert fires on a clean worker, and alerts on counters outlast its restart', async () => {
  const port = await freePort();
  const { atlas, installation, worker } = await startSystem({ config: { metrics: { port } } });
  const scrapeAfterDelivery = async () => {
    await endingOf(await installation.start());
    return untilScraped(port, 'link_token_runs_total', { outcome: 'delivered' });
  };
  const clean = await scrapeAfterDelivery();

  atlas.faults({ on: 'linkTokens', status: 403 });
  await endingOf(await installation.start());
  atlas.faults({ on: 'availableProjects', status: 403 });
  await startScheduled(installation.taskQueue, { request: installation.newRequest() });
  await untilScraped(port, 'temporal_workflow_failed_total', {
    workflow_type: 'prepareOnSchedule',
  });
  const failures = await refuseResult({ atlas, installation }, port);

  await worker.stop();
  await installation.startWorker();
  const restarted = await scrapeAfterDelivery();
  const firing = ['LinkTokenRunFailed', 'LinkTokenScheduleFailed', 'LinkTokenResultRefused'];
  const test = {
    interval: '1m',
    input_series: seriesOver([clean, 120], [failures, 5], [[], 1], [restarted, 50]),
    alert_rule_test: alertRules().map(({ alert }) => ({ alertname: alert, eval_time: '119m' })),
    promql_expr_test: [
      {
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: '175m',
        exp_samples: firing.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
      },
    ],
  };
  const file = path.join(newFolder(), 'test.json');
  const rules = path.join(ALERTS_FOLDER, 'alerts.yaml');
  writeFileSync(
    file,
    JSON.stringify({ rule_files: [rules], evaluation_interval: '1m', tests: [test] }),
  );
  await promtool('test', 'rules', file);
});

/**
 * Creates series as promtool reads them, of what Prometheus scrapes every minute for some minutes.
 */
function seriesOver(
  ...phases: [samples: Sample[], minutes: number][]
): { series: string; values: string }[] {
  const names = new Set(phases.flatMap(([samples]) => samples.map(seriesOf)));
  return [...names].map((series) => {
    const values = phases.map(([samples, minutes]) => {
      const sample = samples.find((one) => seriesOf(one) === series);
      // A series that a scrape lacks is stale.
      return sample ? `${sample.value}x${minutes - 1}` : `stale _x${minutes - 1}`;
    });
    return { series, values: values.join(' ') };
  });
}

function seriesOf({ name, labels }: Sample): string {
  const all = { ...labels, job: 'live-migration-prep', instance: 'worker:9464' };
  const pairs = Object.entries(all).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return `${name}{${pairs.join(',')}}`;
}
