/** Measures the figures of docs/production.md, on Linux: node --import tsx dev/bench/capacity.ts [RUNS] */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import pMap from 'p-map';
import { DEFAULT_TASK_QUEUE, WORKFLOW_TYPES, workflowIdFor } from '../../src/contract/names';
import { DEFAULTS, startAtlasEmulator } from '../atlas-emulator';
import { startDemoWorker } from '../demo/worker';
import { startEmbeddedTemporal } from '../temporal/embedded-temporal';

const RUNS = Number(process.argv[2] ?? 1000);
const CONCURRENT_RUNS = 100;
/** Of Linux, in `/proc/<pid>/stat`. */
const TICKS_PER_SECOND = 100;

const CONFIG = `sinks:
  files: {type: file, directory: ./tokens}
  nas: {type: file, directory: /mnt/nas/link-tokens}
sealing:
  keys: {file: ./sealing-keys.json}
retries:
  deliver: {roundMs: 1000}
health: {port: 0}
`;

async function main(): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-capacity-'));
  const temporal = await startEmbeddedTemporal();
  const atlas = await startAtlasEmulator({ seed: { settings: { rateLimit: { enabled: false } } } });
  const options = { folder, temporalAddress: temporal.address, atlasUrl: atlas.url, config: CONFIG };
  const worker = await startDemoWorker(options);
  const report = (what: string, text: string) => process.stdout.write(`${what.padEnd(44)}${text}\n`);
  const memory = () => `${residentMiB(worker.pid)} MiB resident, at most ${residentMiB(worker.pid, 'VmHWM')}`;
  try {
    report('idle worker', memory());
    const [cpuS, startedAtMs] = [cpuSeconds(worker.pid), performance.now()];
    await startAll(temporal.client, 'files', (handle) => handle.result());
    const elapsedS = (performance.now() - startedAtMs) / 1000;
    report(`${RUNS} runs, ${CONCURRENT_RUNS} at once`, `${(RUNS / elapsedS).toFixed(1)} runs a second`);
    report(
      'CPU of the worker for each',
      `${(((cpuSeconds(worker.pid) - cpuS) / RUNS) * 1000).toFixed(1)} ms`,
    );
    report('worker afterwards', memory());
    await startAll(temporal.client, 'nas', () => Promise.resolve());
    while ((await undelivered(temporal.client)) < RUNS) await sleep(1000);
    report(`worker with ${RUNS} undelivered runs`, memory());
    const listedAtMs = performance.now();
    await undelivered(temporal.client);
    report('listing these', `${(performance.now() - listedAtMs).toFixed(0)} ms`);
  } finally {
    await worker.stop();
    await atlas.close();
    await temporal.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How many runs are undelivered, by the list that a worker with metrics reads every minute. */
async function undelivered(client: Client): Promise<number> {
  let count = 0;
  for await (const { memo } of client.workflow.list({ query: "ExecutionStatus = 'Running'" })) {
    if (memo?.['step'] === 'undelivered') count += 1;
  }
  return count;
}

type Handle = Awaited<ReturnType<Client['workflow']['start']>>;

async function startAll(client: Client, sink: string, until: (handle: Handle) => Promise<unknown>) {
  const numbers = Array.from({ length: RUNS }, (_, number) => number);
  await pMap(
    numbers,
    async (number) => {
      const prefix = sink === 'nas' ? 'a' : 'b';
      const sourceOrgId = prefix + number.toString(16).padStart(23, '0');
      const { orgId } = DEFAULTS;
      const handle = await client.workflow.start(WORKFLOW_TYPES.prepare, {
        workflowId: workflowIdFor(orgId, sourceOrgId),
        taskQueue: DEFAULT_TASK_QUEUE,
        args: [{ orgId, sourceOrgId, accessListIps: ['192.31.196.7'], sink }],
      });
      await until(handle);
    },
    { concurrency: CONCURRENT_RUNS },
  );
}

function residentMiB(pid: number, field = 'VmRSS'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024);
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

void main();
