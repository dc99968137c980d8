/** Runs the job many times while workers and the server are killed and Atlas fails: npm run soak -- --help */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from '@commander-js/extra-typings';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import pMap from 'p-map';
import type { Receipt } from '../../src/contract/schemas';
import type { Fault } from '../atlas-emulator';
import { idOf, memoryMiB, newRequest, startJob } from '../support/measured-job';
import { startEmbeddedTemporal } from '../temporal/embedded-temporal';
import { freePort } from '../temporal/free-port';

const on = 'linkTokens';
const FAULTS: Fault[] = [
  { on, probability: 0.03, status: 503 },
  { on, probability: 0.03, status: 429, headers: { 'Retry-After': '1' } },
  { on, probability: 0.03, reset: 'before-body', afterCreating: true },
];
const POLL_MS = 500;
const MAX_START_MS = 10 * 60_000;

const options = new Command('npm run soak --')
  .description(
    'Compares the tokens at the Atlas emulator, the files at the sink and the receipts. Exit code 1 on a mismatch.',
  )
  .option('--runs <n>', 'how many runs', Number, 200)
  .option('--workers <n>', 'worker processes', Number, 2)
  .option('--kill-workers <n>', 'how often a worker is killed and replaced', Number, 0)
  .option('--kill-server <n>', 'how often the embedded server is killed and restarted', Number, 0)
  .option(
    '--faults <json>',
    'faults of Atlas, as npm run atlas -- --help has them',
    (json) => JSON.parse(json) as Fault[],
    FAULTS,
  )
  .option('--faults-for <seconds>', 'Atlas fails no longer than this', Number, Infinity)
  .option('--config <yaml>', "more of the workers' configuration: 'worker: {maxCachedWorkflows: 500}'", '')
  .option('--external', 'on the Temporal of TEMPORAL_ADDRESS and so on, which is not killed')
  .option('--every <seconds>', 'how often to print progress', Number, 10)
  .parse()
  .opts();

const requests = Array.from({ length: options.runs }, (_, run) => ({
  ...newRequest(),
  // Of its own, which identifies its tokens.
  accessListIps: [`2001:4:112::1:${(run + 1).toString(16)}`],
}));

async function main(): Promise<void> {
  const port = await freePort();
  const database = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-soak-'));
  const startServer = () => startEmbeddedTemporal({ port, databaseFile: path.join(database, 'temporal.db') });
  let server = options.external ? null : await startServer();
  const job = await startJob({ server, config: options.config });
  const { folder, workflow, atlas, startWorker } = job;
  const workers = [await startWorker()];
  while (workers.length < options.workers) workers.push(await startWorker());
  const startedAt = Date.now();
  const elapsedS = () => (Date.now() - startedAt) / 1000;

  try {
    atlas.faults(options.faults);
    let started = 0;
    const starting = pMap(
      requests,
      async (request) => {
        await persist(() => job.start(request));
        started++;
      },
      { concurrency: 20 },
    );
    const kills = { worker: 0, server: 0 };
    let [printedAt, posts] = [0, 0];
    for (;;) {
      await sleep(POLL_MS);
      if (elapsedS() > options.faultsFor) atlas.clearFaults();
      const share = filesIn(folder).length / options.runs;
      if (kills.worker < Math.min(options.killWorkers, Math.ceil(share * (options.killWorkers + 1)))) {
        const index = kills.worker++ % workers.length;
        await workers[index]?.kill();
        workers[index] = await startWorker();
      }
      if (
        server &&
        kills.server < Math.min(options.killServer, Math.ceil(share * (options.killServer + 1)))
      ) {
        kills.server++;
        await server.stop();
        server = await startServer();
      }
      if (elapsedS() >= printedAt + options.every) {
        const sent = atlas.requestsOn(on).length;
        const rate = (sent - posts) / (elapsedS() - printedAt);
        [printedAt, posts] = [elapsedS(), sent];
        say(
          `${printedAt.toFixed(0).padStart(6)} s ${started} started, ${filesIn(folder).length} delivered, ${rate.toFixed(1)} requests/s, worker ${workers.map(({ pid }) => memoryMiB(pid)).join(' and ')} MiB`,
        );
      }
      if (share >= 1 || (await closed().catch(() => 0)) === options.runs) break;
    }
    await starting;
    await verify(kills);
  } finally {
    await Promise.all(workers.map((worker) => worker.kill()));
    await job.close();
    await server?.stop();
    rmSync(database, { recursive: true, force: true });
  }

  async function closed(): Promise<number> {
    return (await workflow.count(`TaskQueue = '${job.taskQueue}' AND ExecutionStatus != 'Running'`)).count;
  }

  async function verify(kills: object): Promise<void> {
    const tokens = atlas.createdTokens();
    const files = filesIn(folder).map((name) =>
      readFileSync(path.join(folder, 'tokens', name), 'utf8').trim(),
    );
    const counts = {
      runs: options.runs,
      delivered: 0,
      failed: 0,
      created: tokens.length,
      unconfirmed: 0,
      files: files.length,
      requests: atlas.requestsOn(on).length,
      ...kills,
    };
    const mismatches: string[] = [];
    const bySha = new Map(files.map((token) => [createHash('sha256').update(token).digest('hex'), token]));
    await pMap(
      requests,
      async (request) => {
        const ending = await persist(() => endingOf(request));
        const created = tokens.filter(({ accessListIps }) => accessListIps[0] === request.accessListIps[0]);
        const known = 'tokenSha256' in ending ? 1 : 0;
        counts[known ? 'delivered' : 'failed'] += 1;
        counts.unconfirmed += ending.unconfirmedTokens;
        if (created.length > ending.unconfirmedTokens + known)
          mismatches.push(
            `${idOf(request)}: ${created.length} tokens created, ${ending.unconfirmedTokens} unconfirmed`,
          );
        if (!('tokenSha256' in ending)) return;
        const file = bySha.get(ending.tokenSha256);
        if (!created.some(({ linkToken }) => linkToken === file))
          mismatches.push(`${idOf(request)}: its token is not in a file of the sink`);
      },
      { concurrency: 20 },
    );
    if (bySha.size !== counts.delivered || files.length !== counts.delivered)
      mismatches.push(`${files.length} files for ${counts.delivered} receipts`);
    for (const mismatch of mismatches) say(mismatch);
    say(
      `${mismatches.length === 0 ? 'PASS' : `FAIL (${mismatches.length} mismatches)`} in ${elapsedS().toFixed(0)} s: ${JSON.stringify(counts)}`,
    );
    process.exitCode = mismatches.length === 0 ? 0 : 1;
  }

  async function endingOf(
    request: (typeof requests)[number],
  ): Promise<Receipt | { unconfirmedTokens: number }> {
    try {
      return (await workflow.getHandle(idOf(request)).result()) as Receipt;
    } catch (error) {
      if (!(error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure)) throw error;
      return error.cause.details?.[0] as { unconfirmedTokens: number };
    }
  }
}

/** Repeats a call of Temporal while the server is away. */
async function persist<T>(call: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + MAX_START_MS; ;) {
    try {
      return await call();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(POLL_MS);
    }
  }
}

/** Lists the tokens, without the temporary files that killed workers leave. */
const filesIn = (folder: string) =>
  readdirSync(path.join(folder, 'tokens')).filter((name) => name.endsWith('.link-token'));

const say = (line: string) => process.stdout.write(`${line}\n`);

void main();
