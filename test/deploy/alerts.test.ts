import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../../dev/temporal/free-port';
import { ALERTS_FOLDER, alertRules } from '../support/alerts';
import { startAtlas } from '../support/atlas';
import { cleanUpLater, newFolder } from '../support/clean-up';
import { eventually } from '../support/eventually';
import { startMismatchedRun } from '../support/foreign-run';
import { FILE_SINKS, deploy } from '../support/installation';
import { endingOf, untilStep } from '../support/runs';
import { runEvery } from '../support/schedules';
import { scrape, valueOf, type Sample } from '../support/scrape';
import { serveRejectingGrpcProxy } from '../support/servers';
import { sharedTemporal } from '../support/temporal';

jest.setTimeout(120_000);

const ALERTS = path.join(ALERTS_FOLDER, 'alerts.yaml');
const ALERT_NAMES = alertRules().map(({ alert }) => alert);
const on = 'linkTokens';
/** Exceeds the 5 s of LinkTokenTasksLate. */
const LATE_MS = 6000;
/** A status of gRPC that Core does not retry, and with which a worker starts all the same. */
const UNKNOWN = 2;
/** A program that Node.js loads first, and in which nothing can be encrypted. */
const NO_ENCRYPTION = "SubtleCrypto.prototype.encrypt = () => Promise.reject(new Error('no encryption'));";

const promtool = (...args: string[]) => promisify(execFile)('promtool', args);

/** A metric, and labels of it. */
type Shown = readonly [name: string, labels?: Record<string, string>];

async function startInstallation() {
  const [atlas, port] = [await startAtlas(), await freePort()];
  const worker = { maxConcurrentActivities: 1 };
  const deployment = await deploy({ atlas, config: { sinks: FILE_SINKS, metrics: { port }, worker } });
  await deployment.startWorker();
  return {
    deployment,
    atlas,
    restart: async (env?: Record<string, string>) => {
      await deployment.workers.at(-1)?.stop();
      await deployment.startWorker(env);
    },
    /** Returns a scrape in which this is above 0. */
    untilScraped: (...[name, labels]: Shown) =>
      eventually(name, async () => {
        const samples = await scrape(port);
        return Number(valueOf(samples, name, labels)) > 0 && samples;
      }),
  };
}

type Installation = Awaited<ReturnType<typeof startInstallation>>;

const counted = (outcome: string): Shown => ['link_token_runs_total', { outcome }];

/** A clean run, and a scrape after it. */
async function cleanScrape({ deployment, untilScraped }: Installation): Promise<Sample[]> {
  await endingOf(await deployment.start());
  return untilScraped(...counted('delivered'));
}

/** Makes it happen. Returns what is then above 0, or null when there is nothing to scrape any more. */
type Cause = (installation: Installation) => Promise<Shown | null>;

const CAUSES: Record<string, Cause> = {
  async LinkTokenRunFailed({ deployment, atlas }) {
    atlas.faults({ on, status: 403 });
    await deployment.start();
    return counted('AtlasRequestRejected');
  },
  async LinkTokenUnconfirmed({ deployment, atlas }) {
    atlas.faults({ on, afterCreating: true, reset: 'before-body' });
    await endingOf(await deployment.start());
    return ['link_token_unconfirmed_total'];
  },
  async LinkTokenLost({ deployment, restart }) {
    const preload = path.join(deployment.folder, 'no-encryption.cjs');
    writeFileSync(preload, NO_ENCRYPTION);
    await restart({ NODE_OPTIONS: `--require ${preload}` });
    await deployment.start();
    return counted('TokenLost');
  },
  async LinkTokenRecoverable({ deployment }) {
    const handle = await deployment.start(deployment.newRequest({ sink: 'rejects' }));
    await untilStep(handle, 'undelivered');
    await handle.cancel();
    return counted('Cancelled');
  },
  async LinkTokenScheduleFailed({ deployment, atlas }) {
    atlas.faults({ on: 'availableProjects', status: 403 });
    await runEvery('1s', deployment.taskQueue, { request: deployment.newRequest() });
    return ['link_token_schedule_runs_total', { outcome: 'AtlasRequestRejected' }];
  },
  async LinkTokenResultRefused({ deployment, atlas }) {
    // Shorter than the interval of heartbeats, whose response would cancel the attempt.
    atlas.faults({ on, delayMs: 2500 });
    const before = atlas.posts().length;
    const handle = await deployment.start();
    await eventually('a POST', () => atlas.posts().length > before);
    await handle.terminate();
    return ['temporal_request_failure_total', { status_code: 'NOT_FOUND' }];
  },
  async LinkTokenWorkflowTaskFails({ deployment }) {
    const { client } = await sharedTemporal();
    await deployment.workers[0]?.stop();
    const handle = await startMismatchedRun(client, deployment.taskQueue);
    cleanUpLater(() => handle.terminate());
    await deployment.startWorker();
    return ['temporal_workflow_task_execution_failed_total'];
  },
  async LinkTokenUndelivered({ deployment, restart }) {
    const handle = await deployment.start(deployment.newRequest({ sink: 'rejects' }));
    await untilStep(handle, 'undelivered');
    // The worker looks again only after a minute; one that starts looks at once.
    await restart();
    return ['link_token_undelivered_runs'];
  },
  async LinkTokenUndeliveredUnknown({ restart }) {
    const { address } = await sharedTemporal();
    const proxy = await serveRejectingGrpcProxy(address, /\/ListWorkflowExecutions$/, UNKNOWN);
    await restart({ TEMPORAL_ADDRESS: proxy.address });
    return ['link_token_undelivered_checks_total', { outcome: 'failed' }];
  },
  async LinkTokenWorkersBusy({ deployment, atlas }) {
    atlas.faults({ on, delayMs: 4500 });
    await deployment.start();
    return ['temporal_worker_task_slots_used', { worker_type: 'ActivityWorker' }];
  },
  async LinkTokenTasksLate({ deployment }) {
    await deployment.workers[0]?.stop();
    await deployment.start();
    await sleep(LATE_MS);
    await deployment.startWorker();
    return counted('delivered');
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

it.each(['alerts.yaml', 'alerts.test.yaml'])('promtool passes %s', async (file) => {
  const command = file === 'alerts.yaml' ? 'check' : 'test';
  await promtool(command, 'rules', path.join(ALERTS_FOLDER, file));
});

describe('on scrapes of a real worker', () => {
  it.each(ALERT_NAMES)('%s fires; before, nothing fires', async (alert) => {
    const installation = await startInstallation();
    const clean = await cleanScrape(installation);
    const samples = await samplesAfter(alert, installation);
    const growth = LASTING.includes(alert) ? growEachMinute : growWithAge;
    const after = { samples, minutes: 70, growth };
    await expectFiring(clean, [after], { alerts: [alert, ...(ALSO[alert] ?? [])], lastMinutes: 70 });
  });

  it.each(['LinkTokenScheduleFailed', 'LinkTokenResultRefused'])(
    '%s goes on firing when the worker restarts on its instance',
    async (alert) => {
      const installation = await startInstallation();
      const clean = await cleanScrape(installation);
      const failed = { samples: await samplesAfter(alert, installation), minutes: 5 };
      await installation.restart();
      const restarted = { samples: await cleanScrape(installation), minutes: 50 };
      const phases = [failed, { samples: [], minutes: 1 }, restarted];
      await expectFiring(clean, phases, { alerts: [alert], lastMinutes: 1 });
    },
  );
});

/** @throws Error when the alert has no cause above. */
async function samplesAfter(alert: string, installation: Installation): Promise<Sample[]> {
  const cause = CAUSES[alert];
  if (!cause) throw new Error(`nothing causes ${alert}`);
  const shown = await cause(installation);
  return shown ? installation.untilScraped(...shown) : [];
}

const CLEAN_MINUTES = 120;

/** Samples that Prometheus scrapes every minute for a while. */
interface Phase {
  samples: Sample[];
  minutes: number;
  /** Growth of a series in a minute. */
  growth?: (sample: Sample) => number;
}

const growWithAge = ({ name, value }: Sample) => (name.endsWith('_age_seconds') && value > 0 ? 60 : 0);

const growEachMinute = ({ name, value }: Sample) => (/_(total|bucket|count|sum)$/.test(name) ? value : 0);

/** The rules: at the end of a clean time nothing fires, and in the last minutes these alerts and no others. */
async function expectFiring(
  clean: Sample[],
  phases: Phase[],
  { alerts, lastMinutes }: { alerts: string[]; lastMinutes: number },
): Promise<void> {
  const minutes = phases.reduce((sum, phase) => sum + phase.minutes, CLEAN_MINUTES);
  const test = {
    interval: '1m',
    input_series: seriesOver([{ samples: clean, minutes: CLEAN_MINUTES }, ...phases]),
    alert_rule_test: ALERT_NAMES.map((alertname) => ({ alertname, eval_time: `${CLEAN_MINUTES - 1}m` })),
    promql_expr_test: [
      {
        expr: `count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[${lastMinutes}m]))`,
        eval_time: `${minutes - 1}m`,
        exp_samples: alerts.map((name) => ({ labels: `{alertname="${name}"}`, value: 1 })),
      },
    ],
  };
  const file = path.join(newFolder(), 'test.json');
  writeFileSync(file, JSON.stringify({ rule_files: [ALERTS], evaluation_interval: '1m', tests: [test] }));
  await promtool('test', 'rules', file);
}

/** The series as promtool reads them. One that a phase lacks is stale, as after a scrape without it. */
function seriesOver(phases: Phase[]): { series: string; values: string }[] {
  const names = new Set(phases.flatMap(({ samples }) => samples.map(seriesOf)));
  return [...names].map((series) => {
    const values = phases.map(({ samples, minutes, growth }) => {
      const sample = samples.find((one) => seriesOf(one) === series);
      if (!sample) return minutes > 1 ? `stale _x${minutes - 1}` : 'stale';
      return `${sample.value}+${growth?.(sample) ?? 0}x${minutes - 1}`;
    });
    return { series, values: values.join(' ') };
  });
}

function seriesOf({ name, labels }: Sample): string {
  const all = { ...labels, job: 'live-migration-prep', instance: 'worker:9464' };
  const pairs = Object.entries(all).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return `${name}{${pairs.join(',')}}`;
}
