/**
 * Measures the figures of docs/production.md: node --import tsx dev/bench/capacity.ts [RUNS
 * [UNDELIVERED]]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pMap from 'p-map';
import { cpuMs, memoryMiB, newRequest, startJob, type Job } from '../support/measured-job';
import { startDevServer } from '../temporal/dev-server';

type Handle = Awaited<ReturnType<Job['start']>>;

const [RUNS = 1000, UNDELIVERED = RUNS] = process.argv.slice(2).map(Number);
/** A list of thousands of runs is work for the server. */
const LIST_INTERVAL_MS = 10_000;
const CONCURRENT_RUNS = 100;
const CONFIG = `retries:
  roundMs: 1000
`;

async function main(): Promise<void> {
  const server = await startDevServer();
  const job = await startJob({ server, config: CONFIG });
  const worker = await job.startWorker();
  const report = (what: string, text: string) =>
    process.stdout.write(`${what.padEnd(44)}${text}\n`);
  const memory = () =>
    `${memoryMiB(worker.pid)} MiB resident, at most ${memoryMiB(worker.pid, 'VmHWM')}`;
  try {
    report('idle worker', memory());
    const [usedMs, startedAtMs] = [cpuMs(worker.pid), performance.now()];
    await startAll(job, RUNS, 'drop', (handle) => handle.result());
    const elapsedS = (performance.now() - startedAtMs) / 1000;
    report(
      `${RUNS} runs, ${CONCURRENT_RUNS} at once`,
      `${(RUNS / elapsedS).toFixed(1)} runs a second`,
    );
    report('CPU of the worker for each', `${((cpuMs(worker.pid) - usedMs) / RUNS).toFixed(1)} ms`);
    report('worker afterwards', memory());
    let starts = 0;
    await startAll(job, UNDELIVERED, 'rejects', async () => {
      starts += 1;
      // Otherwise the server starts runs only, and the worker gets none of them.
      while (starts - (job.atlas.createdTokens().length - RUNS) > CONCURRENT_RUNS) {
        await sleep(100);
      }
    });
    while ((await countUndelivered(job)) < UNDELIVERED) await sleep(LIST_INTERVAL_MS);
    report(`worker with ${UNDELIVERED} undelivered runs`, memory());
    const listedAtMs = performance.now();
    await countUndelivered(job);
    report('listing these', `${(performance.now() - listedAtMs).toFixed(0)} ms`);
  } finally {
    await worker.stop();
    await job.close();
    await server.stop();
  }
}

/** Starts runs, a limited number at once. A run counts as under way until `until` resolves. */
function startAll(
  job: Job,
  runs: number,
  sink: string,
  until: (handle: Handle) => Promise<unknown>,
) {
  const requests = Array.from({ length: runs }, () => newRequest(sink));
  const concurrency = CONCURRENT_RUNS;
  return pMap(requests, async (request) => until(await job.start(request)), { concurrency });
}

/** Counts the undelivered runs, by the list that a worker with metrics reads every minute. */
async function countUndelivered({ workflow }: Job): Promise<number> {
  let count = 0;
  for await (const { memo } of workflow.list({ query: "ExecutionStatus = 'Running'" })) {
    if (memo?.['step'] === 'undelivered') count += 1;
  }
  return count;
}

void main();
