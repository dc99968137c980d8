/** Compares our job with a workflow of the same shape whose activities are empty: npm run bench -- --help */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { Command } from 'commander';
import { cpuMs, idOf, newRequest, startJob } from '../support/measured-job';
import { startEmbeddedTemporal } from '../temporal/embedded-temporal';
import { freePort } from '../temporal/free-port';
import { startTethered } from '../temporal/tethered-process';
import type { Sizes } from './floor-workflow';

const SEQUENTIAL_RUNS = 60;
const ROUNDS = 3;
const COUNTED_RUNS = 30;
const METRICS_LAG_MS = 2500;
const REQUESTS =
  /^service_requests\{namespace="(?!temporal_system|_unknown_).*operation="(?!RecordWorker|Describe)\w+",service_name="frontend"\} (\d+)$/gm;
/** Kinds of events that Temporal Cloud bills as an Action. A heartbeat is one too; the requests show those. */
const BILLED = [
  'workflowExecutionStarted',
  'activityTaskStarted',
  'timerStarted',
  'markerRecorded',
  'workflowPropertiesModified',
];

const { given, json } = new Command('npm run bench --')
  .description(
    'Compares our job with the same workflow with empty activities. Quote ratios and counts: times on a shared machine are noise.',
  )
  .option('--given', 'on the Temporal of TEMPORAL_ADDRESS and so on; its requests are not counted')
  .option('--json', 'print JSON')
  .parse()
  .opts<{ given?: true; json?: true }>();

interface Row {
  what: string;
  job: number;
  floor: number;
}

async function main(): Promise<void> {
  const metricsPort = await freePort();
  const server = given ? null : await startEmbeddedTemporal({ metricsPort });
  const measured = await startJob({ server });
  const { folder, env, workflow, atlas, taskQueue } = measured;
  const jobWorker = await measured.startWorker();
  const floorWorker = startTethered(
    process.execPath,
    ['--import', 'tsx', path.join(__dirname, 'floor-worker.ts'), `${taskQueue}-floor`],
    { env, logFile: path.join(folder, 'floor.log') },
  );
  try {
    await floorWorker.untilOutput(/RUNNING/);
    const runJob = async () => {
      const request = newRequest();
      await (await measured.start(request)).result();
      return idOf(request);
    };
    const eventsOf = async (id: string) => (await workflow.getHandle(id).fetchHistory()).events ?? [];
    const sizes = sizesIn(await eventsOf(await runJob()));
    const runFloor = async () => {
      const workflowId = `${taskQueue}/${randomBytes(12).toString('hex')}`;
      await workflow.execute('floor', {
        workflowId,
        taskQueue: `${taskQueue}-floor`,
        args: [newRequest(), sizes],
      });
      return workflowId;
    };
    const job = { pid: jobWorker.pid, run: runJob };
    const floor = { pid: floorWorker.pid, run: runFloor };
    for (const { run } of [job, floor, job, floor]) await batch(run, 20);

    const requests = async () => (server ? requestCount(metricsPort) : NaN);
    const rows: Row[] = [
      await compare('p50 of a run by itself, ms', SEQUENTIAL_RUNS, ({ run }) => timed(run)),
      await compare('50 in flight, ms a run', ROUNDS, ({ run }) => timed(() => batch(run, 50), 50)),
      await compare('200 in flight, ms a run', ROUNDS, ({ run }) => timed(() => batch(run, 200), 200)),
      await compare('CPU of the worker, ms a run', ROUNDS, ({ pid, run }) =>
        differenceOf(() => cpuMs(pid), run),
      ),
      await compare('gRPC requests to Temporal a run', ROUNDS, ({ run }) => differenceOf(requests, run)),
      await compare('first activity (creates), ms', SEQUENTIAL_RUNS / ROUNDS, async ({ run }) =>
        activityMs(await eventsOf(await run()), 0),
      ),
      await compare('second activity (delivers), ms', SEQUENTIAL_RUNS / ROUNDS, async ({ run }) =>
        activityMs(await eventsOf(await run()), 1),
      ),
      await compare('billable Actions a run', ROUNDS, async ({ run }) =>
        actionsIn(await eventsOf(await run())),
      ),
    ];
    const perToken = atlas.requests().length / atlas.createdTokens().length;
    rows.push({ what: 'requests to Atlas a token', job: perToken, floor: NaN });
    print(rows);

    async function compare(what: string, times: number, measure: (subject: typeof job) => Promise<number>) {
      const values: [job: number[], floor: number[]] = [[], []];
      for (let time = 0; time < times; time++) {
        values[0].push(await measure(job));
        values[1].push(await measure(floor));
      }
      return { what, job: median(values[0]), floor: median(values[1]) };
    }
  } finally {
    await Promise.all([jobWorker.stop(), floorWorker.end('SIGTERM')]);
    await measured.close();
    await server?.stop();
  }
}

type Event = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number];

/** Figures of a clean run of our job. */
function sizesIn(events: Event[]): Sizes {
  const sizeOf = (payloads?: { payloads?: { data?: Uint8Array | null }[] | null } | null) =>
    (payloads?.payloads ?? []).reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
  const marker = events.find(({ markerRecordedEventAttributes }) => markerRecordedEventAttributes);
  const inputs = events.map((e) => sizeOf(e.activityTaskScheduledEventAttributes?.input)).filter(Boolean);
  const results = events.map((e) => sizeOf(e.activityTaskCompletedEventAttributes?.result)).filter(Boolean);
  const [toCreate = 0, toDeliver = 0] = inputs;
  const [sealed = 0, receipt = 0] = results;
  const validated = sizeOf(marker?.markerRecordedEventAttributes?.details?.['result']);
  return { validated, toCreate, sealed, toDeliver, receipt };
}

const actionsIn = (events: Event[]) =>
  events.filter((event) => BILLED.some((name) => event[`${name}EventAttributes` as keyof Event])).length;

/** From the start of an activity's attempt to its result, by the clock of the server. */
function activityMs(events: Event[], index: number): number {
  const timeOf = (event?: Event) =>
    Number(event?.eventTime?.seconds) * 1000 + Number(event?.eventTime?.nanos) / 1e6;
  const completed = events.filter((event) => event.activityTaskCompletedEventAttributes)[index];
  const startedId = completed?.activityTaskCompletedEventAttributes?.startedEventId;
  return timeOf(completed) - timeOf(events[Number(startedId) - 1]);
}

const batch = (run: () => Promise<unknown>, runs: number) => Promise.all(Array.from({ length: runs }, run));

/** Milliseconds a run. */
async function timed(work: () => Promise<unknown>, runs = 1): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / runs;
}

/** How much a run adds to a counter. */
async function differenceOf(read: () => number | Promise<number>, run: () => Promise<unknown>) {
  const before = await read();
  for (let i = 0; i < COUNTED_RUNS; i++) await run();
  return ((await read()) - before) / COUNTED_RUNS;
}

async function requestCount(port: number): Promise<number> {
  // The server reports with a lag.
  await sleep(METRICS_LAG_MS);
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return [...text.matchAll(REQUESTS)].reduce((sum, [, count]) => sum + Number(count), 0);
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

function print(rows: Row[]): void {
  const withRatio = rows.map((row) => ({ ...row, ratio: row.job / row.floor }));
  const cells = withRatio.map(({ what, ...figures }) =>
    [
      what.padEnd(34),
      ...Object.values(figures).map((figure) => (Number.isNaN(figure) ? '-' : figure.toFixed(2)).padStart(8)),
    ].join(''),
  );
  const table = ['                                       job   floor   ratio', ...cells].join('\n');
  process.stdout.write(`${json ? JSON.stringify(withRatio) : table}\n`);
}

void main();
