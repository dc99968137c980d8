/**
 * Measures the figures of docs/production.md, "Capacity", and computes a million runs from them:
 * npm run capacity -- --help
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from '@commander-js/extra-typings';
import pMap, { pMapIterable } from 'p-map';
import {
  childrenCpuMs,
  cpuMs,
  memoryMiB,
  newRequest,
  startJob,
  type Job,
} from '../support/measured-job';
import { startDevServer } from '../temporal/dev-server';
import { freePort } from '../temporal/free-port';
import { readCounter } from './server-counters';

/** As docs/production.md says; workers and commands inherit it. */
const NODE_OPTIONS = '--max-old-space-size=384';
const CLIENT = path.join(__dirname, '../../dist/client.js');
const CONCURRENT_RUNS = 100;
const IDLE_MS = 20_000;
const POLL_INTERVAL_MS = 1000;
const HOUR_MS = 3_600_000;
const MILLION = 1_000_000;
const OUTAGE = { runs: 2000, hours: 7 * 24 };

const options = new Command('npm run capacity --')
  .description(
    'Measures what runs and an outage of a sink cost. Quote the CPU: times on a shared machine are noise.',
  )
  .option('--runs <n>', 'number of clean runs', Number, 1000)
  .option('--undelivered <n>', 'number of runs whose sink is away, for two rounds', Number, 250)
  .option('--workers <n>', 'number of worker processes', Number, 1)
  .option('--lists-per-second <n>', "the server's frontend.namespaceRPS.visibility", Number, 100)
  .parse()
  .opts();

async function main(): Promise<void> {
  process.env['NODE_OPTIONS'] = NODE_OPTIONS;
  const metricsPort = await freePort();
  const server = await startDevServer({
    metricsPort,
    dynamicConfig: { 'frontend.namespaceRPS.visibility': options.listsPerSecond },
  });
  const job = await startJob({ server });
  const workers = [await job.startWorker()];
  while (workers.length < options.workers) workers.push(await job.startWorker());
  const readUsage = () => ({
    elapsedMs: performance.now(),
    workerMs: workers.reduce((sum, { pid }) => sum + cpuMs(pid), 0),
    serverMs: cpuMs(server.pid),
  });
  const readCounts = async () => ({
    actions: await readCounter(metricsPort, 'actions'),
    rounds: countFailedRounds(job),
    ...(await sumHistories(job)),
  });
  const measure = async (work: () => Promise<unknown>) => {
    const counts = await readCounts();
    const usage = readUsage();
    await work();
    const used = subtract(readUsage(), usage);
    return { ...used, ...subtract(await readCounts(), counts) };
  };
  const reportMemory = (when: string) => {
    const each = workers.map(({ pid }) => `${memoryMiB(pid)} (${memoryMiB(pid, 'VmHWM')})`);
    report(`${when}: MiB of a worker (at most)`, each.join(', '));
  };

  try {
    reportMemory('idle');
    const idle = await measure(() => sleep(IDLE_MS));
    /** Costs beyond those of idle workers and an idle server. */
    const perUnit = (used: typeof idle, count: number) => {
      const idleShare = used.elapsedMs / idle.elapsedMs;
      return {
        workerMs: (used.workerMs - idle.workerMs * idleShare) / count,
        serverMs: (used.serverMs - idle.serverMs * idleShare) / count,
        actions: used.actions / count,
        events: used.events / count,
        bytes: used.bytes / count,
      };
    };

    const used = await measure(() => startAll(job, options.runs, (handle) => handle.result()));
    const run = perUnit(used, options.runs);
    reportMemory(`after ${options.runs} runs`);
    report('a clean run', describe(run));
    report('runs a second', ((options.runs / used.elapsedMs) * 1000).toFixed(1));

    // The sink is away, for rounds of the usual length.
    renameSync(folderOf(job), `${folderOf(job)}-away`);
    await startAll(job, options.undelivered, () => Promise.resolve());
    await untilFailedRounds(job, options.undelivered);
    const usedAway = await measure(() => untilFailedRounds(job, 2 * options.undelivered));
    const round = perUnit(usedAway, usedAway.rounds);
    reportMemory(`with ${options.undelivered} undelivered runs`);
    report('a failed round of deliveries', describe(round));
    await reportCommand(job, 'list', '--undelivered');
    renameSync(`${folderOf(job)}-away`, folderOf(job));
    await reportCommand(job, 'redeliver', '--all');
    await reportCommand(job, 'list');

    report('\ncomputed', '');
    report('a million clean runs', describeTotal(run, MILLION));
    report('  at 10 and 30 lists a second', `${hoursAt(10)} and ${hoursAt(30)} hours`);
    const rounds = countRounds(OUTAGE.hours * HOUR_MS);
    report(
      `${OUTAGE.runs} runs undelivered for a week, ${rounds} rounds each`,
      describeTotal(round, OUTAGE.runs * rounds),
    );
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
    await job.close();
    await server.stop();
  }
}

/** Starts runs, a limited number at once. A run counts as under way until `until` resolves. */
function startAll(
  job: Job,
  runs: number,
  until: (handle: Awaited<ReturnType<Job['start']>>) => Promise<unknown>,
) {
  const requests = Array.from({ length: runs }, () => newRequest());
  const concurrency = CONCURRENT_RUNS;
  return pMap(requests, async (request) => until(await job.start(request)), { concurrency });
}

const folderOf = ({ folder }: Job) => path.join(folder, 'tokens');

/** Counts the rounds that the logs of the workers name. */
function countFailedRounds({ folder }: Job): number {
  const logs = readdirSync(folder).filter((name) => name.endsWith('.log'));
  const texts = logs.map((name) => readFileSync(path.join(folder, name), 'utf8'));
  return texts.join('').split('"link-token not delivered"').length - 1;
}

async function untilFailedRounds(job: Job, rounds: number): Promise<void> {
  while (countFailedRounds(job) < rounds) await sleep(POLL_INTERVAL_MS);
}

/** Adds up what the descriptions of the runs say: the list does not know the history of an open run. */
async function sumHistories({ workflow, taskQueue }: Job) {
  const sum = { events: 0, bytes: 0 };
  const runs = workflow.list({ query: `TaskQueue = '${taskQueue}'` });
  const describeRun = ({ workflowId }: { workflowId: string }) =>
    workflow.getHandle(workflowId).describe();
  for await (const run of pMapIterable(runs, describeRun, { concurrency: 20 })) {
    sum.events += run.historyLength;
    sum.bytes += run.historySize ?? 0;
  }
  return sum;
}

/** Runs a command of the built command line, and reports its time and its CPU. */
async function reportCommand({ env, taskQueue }: Job, ...command: string[]): Promise<void> {
  const startedAtMs = performance.now();
  const usedMs = childrenCpuMs();
  const args = [CLIENT, '--task-queue', taskQueue, ...command];
  const child = spawn(process.execPath, args, { env, stdio: 'ignore' });
  await once(child, 'exit');
  const cpu = childrenCpuMs() - usedMs;
  const elapsed = performance.now() - startedAtMs;
  report(
    command.join(' '),
    `${(elapsed / 1000).toFixed(1)} s, CPU ${(cpu / 1000).toFixed(1)} s, exit code ${child.exitCode}`,
  );
}

/** Counts the rounds of deliveries until a time, with the default settings and average pauses. */
function countRounds(untilMs: number): number {
  const [roundMs, maximumPauseMs] = [120_000, 6 * HOUR_MS];
  let rounds = 0;
  let pauseMs = 60_000;
  for (let nowMs = 0; nowMs < untilMs; nowMs += roundMs + 0.9 * pauseMs) {
    if (rounds > 0) pauseMs = Math.min(2 * pauseMs, maximumPauseMs);
    rounds += 1;
  }
  return rounds;
}

type Cost = Record<'workerMs' | 'serverMs' | 'actions' | 'events' | 'bytes', number>;

function describe({ workerMs, serverMs, actions, events, bytes }: Cost): string {
  return (
    `CPU ${workerMs.toFixed(1)} ms in workers, ${serverMs.toFixed(1)} in the server;` +
    ` ${events.toFixed(1)} events, ${bytes.toFixed(0)} bytes, ${actions.toFixed(1)} Actions`
  );
}

function describeTotal({ workerMs, serverMs, actions, bytes }: Cost, count: number): string {
  const hours = (ms: number) => ((ms * count) / HOUR_MS).toFixed(1);
  return (
    `CPU ${hours(workerMs)} hours in workers, ${hours(serverMs)} in the server;` +
    ` ${((bytes * count) / 1e9).toFixed(2)} GB, ${((actions * count) / 1e6).toFixed(2)} million Actions`
  );
}

const hoursAt = (perSecond: number) => (MILLION / perSecond / 3600).toFixed(0);

function subtract<T extends Record<string, number>>(after: T, before: T): T {
  const difference = Object.keys(after).map((name) => [
    name,
    Number(after[name]) - Number(before[name]),
  ]);
  return Object.fromEntries(difference) as T;
}

function report(what: string, text: string): void {
  process.stdout.write(`${what.padEnd(54)}${text}\n`);
}

void main();
