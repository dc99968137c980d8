import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../../dev/temporal/free-port';
import { ALERTS_FOLDER, alertRules } from '../support/alerts';
import { startAtlas, type TestAtlas } from '../support/atlas';
import { cleanUpLater, newFolder } from '../support/clean-up';
import { eventually } from '../support/eventually';
import { startMismatchedRun } from '../support/foreign-run';
import { deploy, type Deployment } from '../support/installation';
import { endingOf, untilStep } from '../support/runs';
import { runEvery } from '../support/schedules';
import { scrape, valueOf, type Sample } from '../support/scrape';
import { serveRejectingGrpcProxy } from '../support/servers';
import { sharedTemporal } from '../support/temporal';

jest.setTimeout(120_000);

const ALERTS = path.join(ALERTS_FOLDER, 'alerts.yaml');
const on = 'linkTokens';
/** Exceeds the 5 s of LinkTokenTasksLate. */
const LATE_MS = 6000;
/** A status of gRPC that Core does not retry, and with which a worker starts all the same. */
const UNKNOWN = 2;

const promtool = (args: string[]) => promisify(execFile)('promtool', args);

describe('the alerts', () => {
  it.each([
    ['check', 'rules', ALERTS],
    ['test', 'rules', path.join(ALERTS_FOLDER, 'alerts.test.yaml')],
  ])('pass promtool %s %s', async (...args) => {
    await promtool(args);
  });

  it('have a cause below', () => {
    expect(Object.keys(CAUSES).sort()).toEqual(
      alertRules()
        .map(({ alert }) => alert)
        .sort(),
    );
  });
});

interface Worker {
  deployment: Deployment;
  atlas: TestAtlas;
  port: number;
}

async function startWorker(settings: { worker?: object } = {}): Promise<Worker> {
  const [atlas, port] = [await startAtlas(), await freePort()];
  const deployment = await deploy({
    atlas,
    config: {
      sinks: {
        files: { type: 'file', directory: 'tokens' },
        rejects: { type: 'file', directory: 'sealing-keys.json' },
      },
      metrics: { port },
      ...settings,
    },
  });
  await deployment.startWorker();
  return { deployment, atlas, port };
}

/** A clean run, and a scrape after it. */
async function cleanScrape({ deployment, port }: Worker): Promise<Sample[]> {
  await endingOf(await deployment.start());
  return untilScraped(port, (samples) => valueOf(samples, 'link_token_runs_total', { outcome: 'delivered' }));
}

async function untilScraped(port: number, isThere: (samples: Sample[]) => unknown): Promise<Sample[]> {
  return eventually('the metrics', async () => {
    const samples = await scrape(port);
    return Boolean(isThere(samples)) && samples;
  });
}

/** Makes it happen. Returns a scrape after it, or null when there is nothing to scrape any more. */
type Cause = (worker: Worker) => Promise<Sample[] | null>;

/** A program that Node.js loads first, and in which nothing can be encrypted. */
const NO_ENCRYPTION = "SubtleCrypto.prototype.encrypt = () => Promise.reject(new Error('no encryption'));";

const CAUSES: Record<string, Cause> = {
  async LinkTokenRunFailed({ deployment, atlas, port }) {
    atlas.faults({ on, status: 403 });
    await endingOf(await deployment.start());
    return untilScraped(port, (s) =>
      valueOf(s, 'link_token_runs_total', { outcome: 'AtlasRequestRejected' }),
    );
  },
  async LinkTokenUnconfirmed({ deployment, atlas, port }) {
    atlas.faults({ on, afterCreating: true, reset: 'before-body' });
    await endingOf(await deployment.start());
    return untilScraped(port, (s) => valueOf(s, 'link_token_runs_total', { outcome: 'delivered' }) === 2);
  },
  async LinkTokenLost({ deployment, port }) {
    const preload = path.join(deployment.folder, 'no-encryption.cjs');
    writeFileSync(preload, NO_ENCRYPTION);
    await restart(deployment, { NODE_OPTIONS: `--require ${preload}` });
    await endingOf(await deployment.start());
    return untilScraped(port, (s) => valueOf(s, 'link_token_runs_total', { outcome: 'TokenLost' }));
  },
  async LinkTokenRecoverable({ deployment, port }) {
    const handle = await deployment.start(deployment.newRequest({ sink: 'rejects' }));
    await untilStep(handle, 'undelivered');
    await handle.cancel();
    return untilScraped(port, (s) => valueOf(s, 'link_token_runs_total', { outcome: 'Cancelled' }));
  },
  async LinkTokenScheduleFailed({ deployment, atlas, port }) {
    atlas.faults({ on: 'availableProjects', status: 403 });
    await runEvery('1s', deployment.taskQueue, { request: deployment.newRequest() });
    return untilScraped(port, (s) =>
      valueOf(s, 'link_token_schedule_runs_total', { outcome: 'AtlasRequestRejected' }),
    );
  },
  async LinkTokenResultRefused({ deployment, atlas, port }) {
    atlas.faults({ on, delayMs: 500 });
    const before = atlas.posts().length;
    const handle = await deployment.start();
    await eventually('a POST', () => atlas.posts().length > before);
    await handle.terminate();
    return untilScraped(port, (s) =>
      valueOf(s, 'temporal_request_failure_total', { status_code: 'NOT_FOUND' }),
    );
  },
  async LinkTokenWorkflowTaskFails({ deployment, port }) {
    const { client } = await sharedTemporal();
    await deployment.workers[0]?.stop();
    const handle = await startMismatchedRun(client, deployment.taskQueue);
    cleanUpLater(() => handle.terminate());
    await deployment.startWorker();
    return untilScraped(port, (s) => valueOf(s, 'temporal_workflow_task_execution_failed_total'));
  },
  async LinkTokenUndelivered({ deployment, port }) {
    const handle = await deployment.start(deployment.newRequest({ sink: 'rejects' }));
    await untilStep(handle, 'undelivered');
    // The worker looks again only after a minute; one that starts looks at once.
    await restart(deployment);
    return untilScraped(port, (s) => valueOf(s, 'link_token_undelivered_runs'));
  },
  async LinkTokenUndeliveredUnknown({ deployment, port }) {
    const { address } = await sharedTemporal();
    const lists = /\/ListWorkflowExecutions$/;
    const proxy = await serveRejectingGrpcProxy(address, lists, UNKNOWN);
    await restart(deployment, { TEMPORAL_ADDRESS: proxy.address });
    return untilScraped(port, (s) =>
      valueOf(s, 'link_token_undelivered_checks_total', { outcome: 'failed' }),
    );
  },
  async LinkTokenWorkersBusy({ deployment, atlas, port }) {
    atlas.faults({ on, delayMs: 3000 });
    await deployment.start();
    return untilScraped(port, (s) => slots(s) === 0);
  },
  async LinkTokenTasksLate({ deployment, port }) {
    await deployment.workers[0]?.stop();
    const handle = await deployment.start();
    await sleep(LATE_MS);
    await deployment.startWorker();
    await endingOf(handle);
    return untilScraped(port, (s) => valueOf(s, 'link_token_runs_total', { outcome: 'delivered' }));
  },
  async LinkTokenWorkerMissing({ deployment }) {
    await deployment.workers[0]?.stop();
    return null;
  },
};

/** Other alerts that a cause fires. */
const ALSO: Record<string, string[]> = { LinkTokenLost: ['LinkTokenUnconfirmed'] };

/** These fire when their cause lasts: the counters of the worker, which was started for it, grow as much every minute. */
const LASTING = ['LinkTokenTasksLate', 'LinkTokenUndeliveredUnknown'];

async function restart(deployment: Deployment, env?: Record<string, string>): Promise<void> {
  await deployment.workers[0]?.stop();
  await deployment.startWorker(env);
}

const slots = (samples: Sample[]) =>
  valueOf(samples, 'temporal_worker_task_slots_available', { worker_type: 'ActivityWorker' });

describe('on scrapes of a real worker', () => {
  it.each(Object.entries(CAUSES))('%s fires; before, nothing fires', async (alert, cause) => {
    const worker = await startWorker(SMALL);
    const before = await cleanScrape(worker);
    const after = await cause(worker);
    const step = LASTING.includes(alert) ? growEachMinute : growWithAge;
    await expectFiring([clean(before), { samples: after ?? [], minutes: MINUTES_AFTER, step }], {
      alerts: [alert, ...(ALSO[alert] ?? [])],
    });
  });

  it.each(['LinkTokenScheduleFailed', 'LinkTokenResultRefused'])(
    '%s goes on firing when the worker restarts on its instance',
    async (alert) => {
      const worker = await startWorker(SMALL);
      const before = await cleanScrape(worker);
      const failed = await CAUSES[alert]?.(worker);
      await restart(worker.deployment);
      const restarted = await cleanScrape(worker);
      await expectFiring(
        [
          clean(before),
          { samples: failed ?? [], minutes: 5 },
          { samples: [], minutes: 1 },
          { samples: restarted, minutes: 50 },
        ],
        { alerts: [alert], everyMinute: true },
      );
    },
  );
});

const SMALL = { worker: { heartbeatTimeoutMs: 4000, maxConcurrentActivities: 1 } };
const MINUTES_BEFORE = 120;
const MINUTES_AFTER = 70;

/** Samples that Prometheus scrapes every minute for a while. */
interface Phase {
  samples: Sample[];
  minutes: number;
  /** Growth of a series in a minute. */
  step?: (sample: Sample) => number;
}

const clean = (samples: Sample[]): Phase => ({ samples, minutes: MINUTES_BEFORE });

const growWithAge = ({ name, value }: Sample) => (name.endsWith('_age_seconds') && value > 0 ? 60 : 0);

const growEachMinute = ({ name, value }: Sample) => (/_(total|bucket|count|sum)$/.test(name) ? value : 0);

/** The rules on these phases: at the end of the first nothing fires, and then these alerts and no others. */
async function expectFiring(
  phases: Phase[],
  { alerts, everyMinute = false }: { alerts: string[]; everyMinute?: boolean },
): Promise<void> {
  const minutes = phases.slice(1).reduce((sum, phase) => sum + phase.minutes, 0);
  const endOfFirst = MINUTES_BEFORE - 1;
  const silent = alertRules().map(({ alert: alertname }) => ({ alertname, eval_time: `${endOfFirst}m` }));
  const firing = {
    expr: `${everyMinute ? 'sum' : 'count'} by (alertname) (count_over_time(ALERTS{alertstate="firing"}[${minutes}m]))`,
    eval_time: `${endOfFirst + minutes}m`,
    exp_samples: alerts.map((name) => ({
      labels: `{alertname="${name}"}`,
      value: everyMinute ? minutes : 1,
    })),
  };
  const file = path.join(newFolder(), 'test.json');
  writeFileSync(
    file,
    JSON.stringify({
      rule_files: [ALERTS],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: seriesOver(phases),
          alert_rule_test: silent,
          promql_expr_test: [firing],
        },
      ],
    }),
  );
  await promtool(['test', 'rules', file]);
}

/** The series as promtool reads them. One that a phase lacks is stale, as after a scrape without it. */
function seriesOver(phases: Phase[]): { series: string; values: string }[] {
  const names = new Set(phases.flatMap(({ samples }) => samples.map(seriesOf)));
  return [...names].map((series) => {
    const values = phases.map(({ samples, minutes, step }) => {
      const sample = samples.find((one) => seriesOf(one) === series);
      if (!sample) return minutes > 1 ? `stale _x${minutes - 1}` : 'stale';
      return `${sample.value}+${step?.(sample) ?? 0}x${minutes - 1}`;
    });
    return { series, values: values.join(' ') };
  });
}

function seriesOf({ name, labels }: Sample): string {
  const all = { ...labels, job: 'live-migration-prep', instance: 'worker:9464' };
  return `${name}{${Object.entries(all)
    .map(([label, value]) => `${label}=${JSON.stringify(value)}`)
    .join(',')}}`;
}
