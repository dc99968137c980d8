/**
 * Measures our job against a bare workflow of the same shape, in turn, on one server: npm run bench
 *
 * The ratios are what to quote; times on a shared machine are noise.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { DEFAULT_TASK_QUEUE, WORKFLOW_TYPES } from '../../src/contract/names';
import { DEFAULTS, startAtlasEmulator } from '../atlas-emulator';
import { startDemoWorker } from '../demo/worker';
import { startEmbeddedTemporal } from '../temporal/embedded-temporal';

const RUNS = 60;
const WARM_UP_RUNS = 10;
const CONCURRENT_RUNS = 200;
const BASELINE_TASK_QUEUE = 'baseline';

type Start = (client: Client, id: string) => Promise<unknown>;

const SUBJECTS: Readonly<Record<'job' | 'baseline', Start>> = {
  job: (client, workflowId) =>
    client.workflow.execute(WORKFLOW_TYPES.prepare, {
      workflowId,
      taskQueue: DEFAULT_TASK_QUEUE,
      args: [{ orgId: DEFAULTS.orgId, accessListIps: ['192.31.196.7'], sink: 'files' }],
    }),
  baseline: (client, workflowId) =>
    client.workflow.execute('baseline', { workflowId, taskQueue: BASELINE_TASK_QUEUE }),
};

async function main(): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-bench-'));
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const temporal = await startEmbeddedTemporal();
  const atlas = await startAtlasEmulator({ seed: { settings: { rateLimit: { enabled: false } } } });
  const worker = await startDemoWorker({ folder, temporalAddress: temporal.address, atlasUrl: atlas.url });
  const connection = await NativeConnection.connect({ address: temporal.address });
  const baselineWorker = await Worker.create({
    connection,
    taskQueue: BASELINE_TASK_QUEUE,
    workflowsPath: require.resolve('./baseline-workflow'),
    activities: { nothing: () => Promise.resolve() },
  });
  try {
    await baselineWorker.runUntil(() => measure(temporal.client));
    const perToken = atlas.requests().length / atlas.createdTokens().length;
    print('requests to Atlas for each token', perToken.toFixed(4));
  } finally {
    await connection.close();
    await worker.stop();
    await atlas.close();
    await temporal.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(client: Client): Promise<void> {
  const latencies = { job: [] as number[], baseline: [] as number[] };
  for (let run = 0; run < WARM_UP_RUNS + RUNS; run++) {
    for (const subject of ['job', 'baseline'] as const) {
      const ms = await timed(() => SUBJECTS[subject](client, `${subject}-${run}`));
      if (run >= WARM_UP_RUNS) latencies[subject].push(ms);
    }
  }
  compare('one run at a time, median ms', median(latencies.job), median(latencies.baseline));

  const storm = (subject: 'job' | 'baseline') =>
    timed(() =>
      Promise.all(
        Array.from({ length: CONCURRENT_RUNS }, (_, run) =>
          SUBJECTS[subject](client, `${subject}-storm-${run}`),
        ),
      ),
    );
  compare(`${CONCURRENT_RUNS} runs at once, ms`, await storm('job'), await storm('baseline'));
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function compare(what: string, job: number, baseline: number): void {
  print(what, `job ${job.toFixed(1)}, baseline ${baseline.toFixed(1)}, ratio ${(job / baseline).toFixed(2)}`);
}

function print(what: string, figures: string): void {
  process.stdout.write(`${what.padEnd(36)}${figures}\n`);
}

void main();
