/** Compares our job with two others of the same shape: npm run bench -- --help */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { Command } from 'commander';
import { workflowIdFor } from '../../src/contract/workflow-id';
import { cpuMs, newRequest, startJob } from '../support/measured-job';
import { startChildProcess } from '../temporal/child-process';
import { startDevServer, type DevServer } from '../temporal/dev-server';
import { freePort } from '../temporal/free-port';
import type { Sizes } from './baseline-workflow';
import { readCounter } from './server-counters';

const SEQUENTIAL_RUNS = 60;
const TIMED_ACTIVITIES = 20;
const ROUNDS = 3;
const COUNTED_RUNS = 30;
const WARM_UP_RUNS = 20;

const { external, json } = new Command('npm run bench --')
  .description(
    'Compares our job with two workflows of the same shape: three activities, one after the other.\n' +
      'The bare job makes the same requests (list, OAuth, POST, heartbeat), seals the token and writes it to a file with fsync,\n' +
      'with no check, log or metric. The activities of the empty job do nothing but list earlier runs.\n' +
      'Quote ratios and counts: times on a shared machine are noise.',
  )
  .option(
    '--external',
    'use the Temporal of TEMPORAL_ADDRESS and so on, whose requests and Actions are not counted',
  )
  .option('--json', 'print JSON')
  .parse()
  .opts<{ external?: true; json?: true }>();

/** A worker process, and a function that runs its workflow once and returns the workflow id. */
interface Subject {
  pid: number;
  run: () => Promise<string>;
}

const NAMES = ['job', 'bare', 'empty'] as const;

type Subjects<T> = Record<(typeof NAMES)[number], T>;

interface Row extends Subjects<number> {
  what: string;
}

async function main(): Promise<void> {
  const metricsPort = await freePort();
  let server: DevServer | null = null;
  if (!external) server = await startDevServer({ metricsPort });
  const measured = await startJob({ server });
  const { folder, env, workflow, atlas, taskQueue } = measured;
  const jobWorker = await measured.startWorker();
  const bareFolder = path.join(folder, 'bare');
  mkdirSync(bareFolder);
  const bareWorker = startBaseline('bare', atlas.url, bareFolder);
  const emptyWorker = startBaseline('empty');

  function startBaseline(name: string, ...args: string[]) {
    const program = path.join(__dirname, 'baseline-worker.ts');
    return startChildProcess(
      process.execPath,
      ['--import', 'tsx', program, `${taskQueue}-${name}`, ...args],
      { env, logFile: path.join(folder, `${name}.log`) },
    );
  }

  const readEvents = async (id: string) =>
    (await workflow.getHandle(id).fetchHistory()).events ?? [];
  const count = (counter: 'requests' | 'actions') =>
    server ? readCounter(metricsPort, counter) : NaN;

  async function runJob(): Promise<string> {
    const handle = await measured.start(newRequest());
    await handle.result();
    return handle.workflowId;
  }

  try {
    for (const worker of [bareWorker, emptyWorker]) await worker.untilOutput(/RUNNING/);
    const sizes = measurePayloads(await readEvents(await runJob()));
    const runBaseline = async (name: string): Promise<string> => {
      const request = newRequest();
      const workflowId = workflowIdFor(request);
      const queue = `${taskQueue}-${name}`;
      await workflow.execute('baseline', { workflowId, taskQueue: queue, args: [request, sizes] });
      return workflowId;
    };
    const subjects: Subjects<Subject> = {
      job: { pid: jobWorker.pid, run: runJob },
      bare: { pid: bareWorker.pid, run: () => runBaseline('bare') },
      empty: { pid: emptyWorker.pid, run: () => runBaseline('empty') },
    };

    const compare = async (
      what: string,
      times: number,
      measure: (subject: Subject) => Promise<number>,
    ): Promise<Row> => {
      const values: Subjects<number[]> = { job: [], bare: [], empty: [] };
      for (let time = 0; time < times; time++) {
        for (const name of NAMES) values[name].push(await measure(subjects[name]));
      }
      const { job, bare, empty } = values;
      return { what, job: median(job), bare: median(bare), empty: median(empty) };
    };

    for (const name of [...NAMES, ...NAMES]) await runTogether(WARM_UP_RUNS, subjects[name].run);
    const rows = [
      await compare('p50 of a run by itself, ms', SEQUENTIAL_RUNS, ({ run }) => measureMs(run)),
      await compare('50 in flight, ms a run', ROUNDS, ({ run }) => measureTogether(50, run)),
      await compare('200 in flight, ms a run', ROUNDS, ({ run }) => measureTogether(200, run)),
      await compare('CPU of the worker, ms a run', ROUNDS, ({ pid, run }) =>
        measureIncrease(() => cpuMs(pid), run),
      ),
      await compare('gRPC requests to Temporal a run', ROUNDS, ({ run }) =>
        measureIncrease(() => count('requests'), run),
      ),
      await compare('billable Actions a run', 1, ({ run }) =>
        measureIncrease(() => count('actions'), run),
      ),
      await compare('first activity (creates), ms', TIMED_ACTIVITIES, async ({ run }) =>
        measureActivityMs(await readEvents(await run()), 0),
      ),
      await compare('second activity (delivers), ms', TIMED_ACTIVITIES, async ({ run }) =>
        measureActivityMs(await readEvents(await run()), 1),
      ),
      await compare('requests to Atlas a run', 1, ({ run }) =>
        measureIncrease(() => atlas.requests().length, run),
      ),
    ];
    print(rows);
  } finally {
    const baselines = [bareWorker, emptyWorker].map((worker) => worker.end('SIGTERM'));
    await Promise.all([jobWorker.stop(), ...baselines]);
    await measured.close();
    await server?.stop();
  }
}

type Event = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number];

interface Payloads {
  payloads?: { data?: Uint8Array | null }[] | null;
}

function measurePayloads(events: Event[]): Sizes {
  const getLength = (payloads?: Payloads | null) =>
    (payloads?.payloads ?? []).reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
  const collect = (getPayloads: (event: Event) => Payloads | null | undefined) =>
    events.map((event) => getLength(getPayloads(event))).filter((length) => length > 0);
  const [validated = 0] = collect(
    (event) => event.markerRecordedEventAttributes?.details?.['result'],
  );
  const [toCreate = 0, toDeliver = 0] = collect(
    (event) => event.activityTaskScheduledEventAttributes?.input,
  );
  const [sealed = 0, receipt = 0] = collect(
    (event) => event.activityTaskCompletedEventAttributes?.result,
  );
  return { validated, toCreate, sealed, toDeliver, receipt };
}

/**
 * Measures from the start of an activity's last attempt to its result, by the clock of the server.
 */
function measureActivityMs(events: Event[], index: number): number {
  const readMs = (event?: Event) =>
    Number(event?.eventTime?.seconds) * 1000 + Number(event?.eventTime?.nanos) / 1e6;
  const completed = events.filter((event) => event.activityTaskCompletedEventAttributes)[index];
  const startedId = completed?.activityTaskCompletedEventAttributes?.startedEventId;
  return readMs(completed) - readMs(events[Number(startedId) - 1]);
}

async function measureMs(work: () => Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now();
  await work();
  return performance.now() - startedAtMs;
}

function runTogether(runs: number, run: () => Promise<unknown>): Promise<unknown> {
  return Promise.all(Array.from({ length: runs }, run));
}

/** Measures the milliseconds a run of runs that are started at once. */
async function measureTogether(runs: number, run: () => Promise<unknown>): Promise<number> {
  return (await measureMs(() => runTogether(runs, run))) / runs;
}

/** Measures by how much one run increases a counter. */
async function measureIncrease(
  read: () => number | Promise<number>,
  run: () => Promise<unknown>,
): Promise<number> {
  const before = await read();
  for (let i = 0; i < COUNTED_RUNS; i++) await run();
  return ((await read()) - before) / COUNTED_RUNS;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function print(rows: Row[]): void {
  const withRatios = rows.map((row) => ({
    ...row,
    toBare: row.job / row.bare,
    toEmpty: row.job / row.empty,
  }));
  const format = (what: string, cells: string[]) =>
    what.padEnd(34) + cells.map((cell) => cell.padStart(10)).join('');
  const lines = withRatios.map(({ what, job, bare, empty, toBare, toEmpty }) =>
    format(
      what,
      [job, bare, toBare, empty, toEmpty].map((figure) =>
        Number.isFinite(figure) ? figure.toFixed(2) : '-',
      ),
    ),
  );
  const table = [format('', ['job', 'bare', 'job/bare', 'empty', 'job/empty']), ...lines].join(
    '\n',
  );
  process.stdout.write(`${json ? JSON.stringify(withRatios) : table}\n`);
}

void main();
