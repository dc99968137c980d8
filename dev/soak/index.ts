/**
 * Runs the job many times while workers and the server are killed and Atlas fails: npm run soak --
 * --help
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from '@commander-js/extra-typings';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import pMap from 'p-map';
import { joinKeys } from '../../src/commands/api-keys/join-keys';
import { readHistories } from '../../src/commands/api-keys/read-histories';
import type { FailureDetails, Receipt } from '../../src/contract/schemas';
import { workflowIdFor } from '../../src/contract/workflow-id';
import { DEFAULTS, type Fault } from '../atlas-emulator';
import {
  memoryMiB,
  newRequest,
  organizationIds,
  startJob,
  type Job,
} from '../support/measured-job';
import { startDevServer, type DevServer } from '../temporal/dev-server';
import { freePort } from '../temporal/free-port';

const FAULTS: Fault[] = [
  { on: 'linkTokens', probability: 0.03, status: 503 },
  { on: 'linkTokens', probability: 0.03, status: 429, headers: { 'Retry-After': '1' } },
  { on: 'linkTokens', probability: 0.03, reset: 'before-body', afterCreating: true },
];
const POLL_INTERVAL_MS = 500;
/** Limit for a call of Temporal, which fails while the server is away. */
const CALL_TIMEOUT_MS = 10 * 60_000;
const CONCURRENT_CALLS = { concurrency: 20 };
/** When a key without a token may be called an orphan. */
const JUDGED_LATER_MS = 2 * 3_600_000;

const options = new Command('npm run soak --')
  .description(
    'Compares the tokens at the Atlas emulator, the files at the sink, the receipts and what' +
      ' api-keys says of each API key.' +
      ' Exit code 1 on a mismatch.',
  )
  .option('--runs <n>', 'number of runs', Number, 200)
  .option('--organizations <n>', 'number of Atlas organizations, each with its credential', Number)
  .option('--workers <n>', 'number of worker processes', Number, 2)
  .option('--kill-workers <n>', 'how often a worker is killed and replaced', Number, 0)
  .option('--kill-server <n>', 'how often the embedded server is killed and restarted', Number, 0)
  .option(
    '--faults <json>',
    'faults of Atlas (see npm run atlas -- --help)',
    (json) => JSON.parse(json) as Fault[],
    FAULTS,
  )
  .option('--faults-for <seconds>', 'time after which Atlas no longer fails', Number, Infinity)
  .option(
    '--config <yaml>',
    "more of the workers' configuration: 'worker: {maxConcurrentActivities: 500}'",
    '',
  )
  .option('--external', 'use the Temporal of TEMPORAL_ADDRESS and so on, which is not killed')
  .option('--every <seconds>', 'interval at which progress is printed', Number, 10)
  .parse()
  .opts();

const orgIds = organizationIds(options.organizations ?? 0);

/** Requests with an address of their own each, by which their tokens are found at Atlas. */
const requests = Array.from({ length: options.runs }, (_, run) => ({
  ...newRequest(orgIds[run % orgIds.length]),
  accessListIps: [`2001:4:112::1:${(run + 1).toString(16)}`],
}));

type Request = (typeof requests)[number];

async function main(): Promise<void> {
  const port = await freePort();
  const database = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-soak-'));
  const startServer = () =>
    startDevServer({ port, databaseFile: path.join(database, 'temporal.db') });
  let server: DevServer | null = null;
  if (!options.external) server = await startServer();
  const job = await startJob({ server, config: options.config, orgIds });
  const workers = [await job.startWorker()];
  while (workers.length < options.workers) workers.push(await job.startWorker());
  const startedAtMs = performance.now();
  const elapsedS = () => (performance.now() - startedAtMs) / 1000;
  const kills = { worker: 0, server: 0 };
  let starts = 0;
  let printed = { atS: 0, posts: 0 };
  let faultsEndedAtMs: number | null = null;

  /** Kills workers and the server at even intervals of the progress. */
  async function killWhatIsDue(share: number): Promise<void> {
    const isDue = (killed: number, total: number) =>
      killed < Math.min(total, Math.ceil(share * (total + 1)));
    if (isDue(kills.worker, options.killWorkers)) {
      const index = kills.worker % workers.length;
      kills.worker += 1;
      await workers[index]?.kill();
      workers[index] = await job.startWorker();
    }
    if (server && isDue(kills.server, options.killServer)) {
      kills.server += 1;
      await server.stop();
      server = await startServer();
    }
  }

  function printProgress(delivered: number): void {
    const now = { atS: elapsedS(), posts: job.atlas.requestsOn('linkTokens').length };
    const rate = (now.posts - printed.posts) / (now.atS - printed.atS);
    printed = now;
    const memory = workers.map(({ pid }) => memoryMiB(pid)).join(' and ');
    say(
      `${now.atS.toFixed(0).padStart(6)} s ${starts} started, ${delivered} delivered,` +
        ` ${rate.toFixed(1)} requests/s, worker ${memory} MiB`,
    );
  }

  try {
    job.atlas.faults(options.faults);
    const starting = pMap(
      requests,
      async (request) => {
        await persist(() => job.start(request));
        starts += 1;
      },
      CONCURRENT_CALLS,
    );
    let delivered = 0;
    while (delivered < options.runs) {
      if (await areAllClosed(job)) break;
      await sleep(POLL_INTERVAL_MS);
      delivered = listTokenFiles(job).length;
      if (faultsEndedAtMs === null && elapsedS() > options.faultsFor) {
        job.atlas.clearFaults();
        faultsEndedAtMs = Date.now();
        say(`Atlas is back after ${job.atlas.requestsOn('linkTokens').length} requests`);
      }
      await killWhatIsDue(delivered / options.runs);
      if (elapsedS() >= printed.atS + options.every) printProgress(delivered);
    }
    await starting;
    if (faultsEndedAtMs !== null) say(describeDeliveries(job, faultsEndedAtMs));
    const { counts, mismatches } = await compare(job);
    for (const mismatch of mismatches) say(mismatch);
    const verdict = mismatches.length === 0 ? 'PASS' : `FAIL (${mismatches.length} mismatches)`;
    say(`${verdict} in ${elapsedS().toFixed(0)} s: ${JSON.stringify({ ...counts, ...kills })}`);
    process.exitCode = mismatches.length === 0 ? 0 : 1;
  } finally {
    await Promise.all(workers.map((worker) => worker.kill()));
    await job.close();
    await server?.stop();
    rmSync(database, { recursive: true, force: true });
  }
}

async function areAllClosed({ workflow, taskQueue }: Job): Promise<boolean> {
  const query = `TaskQueue = '${taskQueue}' AND ExecutionStatus != 'Running'`;
  const closedRuns = await workflow.count(query).catch(() => ({ count: 0 }));
  return closedRuns.count === options.runs;
}

/** Compares what Atlas created, what the sink has and what the runs say. */
async function compare(job: Job) {
  const tokens = job.atlas.createdTokens();
  const files = listTokenFiles(job).map((file) => readFileSync(file, 'utf8').trim());
  const bySha = new Map(files.map((token) => [sha256(token), token]));
  const counts = {
    runs: options.runs,
    delivered: 0,
    failed: 0,
    created: tokens.length,
    unconfirmed: 0,
    files: files.length,
    requests: job.atlas.requestsOn('linkTokens').length,
    keysNamed: 0,
    keysOrphaned: 0,
    keysUnknown: 0,
  };
  const mismatches: string[] = [];
  const deliveryIds = new Map<string, string>();

  async function compareRun(request: Request): Promise<void> {
    const ending = await persist(() => readEnding(job, request));
    const created = tokens.filter(
      ({ accessListIps }) => accessListIps[0] === request.accessListIps[0],
    );
    const isDelivered = 'location' in ending;
    counts[isDelivered ? 'delivered' : 'failed'] += 1;
    counts.unconfirmed += ending.unconfirmedTokens;
    if (isDelivered) deliveryIds.set(ending.tokenSha256, ending.deliveryId);
    if (created.length > ending.unconfirmedTokens + (isDelivered ? 1 : 0)) {
      mismatches.push(
        `${workflowIdFor(request)}: ${created.length} tokens created, ${ending.unconfirmedTokens} unconfirmed`,
      );
    }
    if (
      isDelivered &&
      !created.some(({ linkToken }) => linkToken === bySha.get(ending.tokenSha256))
    ) {
      mismatches.push(`${workflowIdFor(request)}: its token is not in a file of the sink`);
    }
  }

  async function compareKeys(): Promise<void> {
    const matches: ReturnType<typeof joinKeys> = [];
    for (const orgId of orgIds.length > 0 ? orgIds : [DEFAULTS.orgId]) {
      const known = await readHistories(job.client, orgId);
      const keys = tokens
        .filter((token) => token.orgId === orgId)
        .map(({ apiKey }) => ({ ...apiKey, isOwner: true }));
      matches.push(...joinKeys(keys, known, Date.now() + JUDGED_LATER_MS));
    }
    for (const { apiKey, linkToken } of tokens) {
      const match = matches.find(({ key }) => key.id === apiKey.id);
      const deliveryId = deliveryIds.get(sha256(linkToken)) ?? null;
      const isNamed = match?.state === 'delivered' && match.token?.deliveryId === deliveryId;
      if (deliveryId && isNamed) counts.keysNamed += 1;
      else if (!deliveryId && match?.state === 'orphan') counts.keysOrphaned += 1;
      else if (!deliveryId && match?.state === 'unknown') counts.keysUnknown += 1;
      else mismatches.push(`key ${apiKey.publicKey} of token ${deliveryId}: ${match?.state}`);
    }
  }

  await pMap(requests, compareRun, CONCURRENT_CALLS);
  await compareKeys();
  if (bySha.size !== counts.delivered || files.length !== counts.delivered) {
    mismatches.push(`${files.length} files for ${counts.delivered} receipts`);
  }
  return { counts, mismatches };
}

/** Says when tokens were delivered, by the times of their files. */
function describeDeliveries(job: Job, sinceMs: number): string {
  const timesMs = listTokenFiles(job).map((file) => statSync(file).mtimeMs - sinceMs);
  const sorted = timesMs.filter((timeMs) => timeMs > 0).sort((a, b) => a - b);
  const secondsOf = (share: number) => {
    const index = Math.max(0, Math.ceil(share * sorted.length) - 1);
    return ((sorted[index] ?? NaN) / 1000).toFixed(1);
  };
  return (
    `${sorted.length} delivered after Atlas was back: the first after ${secondsOf(0)} s,` +
    ` half after ${secondsOf(0.5)} s, the last after ${secondsOf(1)} s`
  );
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function readEnding({ workflow }: Job, request: Request): Promise<Receipt | FailureDetails> {
  try {
    return (await workflow.getHandle(workflowIdFor(request)).result()) as Receipt;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure)) {
      throw error;
    }
    return error.cause.details?.[0] as FailureDetails;
  }
}

/** Repeats a call of Temporal while the server is away. */
async function persist<T>(call: () => Promise<T>): Promise<T> {
  const deadlineMs = Date.now() + CALL_TIMEOUT_MS;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (Date.now() > deadlineMs) throw error;
      await sleep(POLL_INTERVAL_MS);
    }
  }
}

/** Lists the files of tokens, without the temporary ones that killed workers leave. */
function listTokenFiles({ folder }: Job): string[] {
  const directory = path.join(folder, 'tokens');
  const names = readdirSync(directory).filter((name) => name.endsWith('.link-token'));
  return names.map((name) => path.join(directory, name));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

void main();
