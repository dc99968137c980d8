import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  WithStartWorkflowOperation,
  type Client,
  type WorkflowHandle,
  type WorkflowStartOptions,
} from '@temporalio/client';
import type { Workflow } from '@temporalio/common';
import { embeddedEnv } from '../../dev/temporal/embedded-env';
import { UPDATES, WORKFLOW_TYPES, workflowIdFor } from '../../src/contract/names';
import type { PrepareRequest, Receipt, Recovery } from '../../src/contract/schemas';
import { makeKey } from '../../src/sealing';
import { newOrgId } from './ids';
import { run, type ClientExit } from './run-command';
import { startWorkerProcess, untilRunning, type WorkerProcess } from './worker-process';

const CLIENT_TIMEOUT_MS = 60_000;

export type { ClientExit } from './run-command';

export type Handle = WorkflowHandle<(request: PrepareRequest, recovery?: Recovery) => Promise<Receipt>>;

/** Surroundings that a deployment is made for. */
export interface DeploymentOptions {
  temporal: { address: string; client: Client };
  atlasUrl: string;
  orgId: string;
  /** The credential for Atlas, and whatever else a worker is to find in its environment. */
  env: Record<string, string>;
  /** Settings over those that every test has, section by section. */
  config?: Config;
}

type StartOptions = Pick<WorkflowStartOptions, 'startDelay'>;

export type Config = Record<string, object | string>;

/** One operator's installation: a folder with configuration, keys and tokens, and a task queue. Its workers come and go. */
export interface Deployment {
  readonly folder: string;
  readonly configFile: string;
  readonly keysFile: string;
  readonly tokensFolder: string;
  readonly taskQueue: string;
  readonly workers: readonly WorkerProcess[];
  /** Writes the configuration anew, for the workers that start from now on. */
  configure(config: Config): void;
  /** Starts a worker and does not wait for it. */
  spawnWorker(env?: Record<string, string>): WorkerProcess;
  /** Starts a worker and waits until it takes work. */
  startWorker(env?: Record<string, string>): Promise<WorkerProcess>;
  /** A request that no other run has, for sink `files`. */
  newRequest(more?: Partial<PrepareRequest>): PrepareRequest;
  /** Starts `prepareLiveMigration` as any caller would. */
  start(request?: PrepareRequest, recovery?: Recovery, options?: StartOptions): Promise<Handle>;
  /** Starts `prepareLiveMigration`, or joins the open run, with the Update `awaitDelivery`, as docs/callers.md shows. */
  startWithUpdate(request: PrepareRequest, awaited?: unknown): Promise<Receipt>;
  /** The run of a request, open or closed. */
  handleOf(request: PrepareRequest): Handle;
  /** Runs a command to its end, on this deployment's task queue. */
  runClient(...args: string[]): Promise<ClientExit>;
  /** Names of the files in the sink's directory. */
  tokenFiles(): string[];
  /** Returns the contents of these files. */
  tokens(): string[];
  dispose(): Promise<void>;
}

export function createDeployment({
  temporal,
  atlasUrl,
  orgId,
  env,
  config = {},
}: DeploymentOptions): Deployment {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-test-'));
  const configFile = path.join(folder, 'live-migration-prep.yaml');
  const keysFile = path.join(folder, 'sealing-keys.json');
  const tokensFolder = path.join(folder, 'tokens');
  const taskQueue = `test-${newOrgId()}`;
  const workers: WorkerProcess[] = [];
  const workerEnv = { ...embeddedEnv(temporal.address), MONGODB_ATLAS_BASE_URL: atlasUrl, ...env };

  const deployment: Deployment = {
    folder,
    configFile,
    keysFile,
    tokensFolder,
    taskQueue,
    workers,
    configure: (settings) => writeFileSync(configFile, yamlOf({ taskQueue, ...settings })),
    spawnWorker(more = {}) {
      const logFile = path.join(folder, `worker-${workers.length + 1}.log`);
      const worker = startWorkerProcess(configFile, logFile, { ...workerEnv, ...more });
      workers.push(worker);
      return worker;
    },
    async startWorker(more) {
      const worker = deployment.spawnWorker(more);
      await untilRunning(worker);
      return worker;
    },
    newRequest: (more) => ({
      orgId,
      accessListIps: ['192.31.196.7'],
      sink: 'files',
      sourceOrgId: newOrgId(),
      ...more,
    }),
    start: (request = deployment.newRequest(), recovery, options = {}) =>
      temporal.client.workflow.start(WORKFLOW_TYPES.prepare, {
        workflowId: workflowIdFor(request.orgId, request.sourceOrgId),
        taskQueue,
        args: recovery ? [request, recovery] : [request],
        workflowIdConflictPolicy: 'FAIL',
        ...options,
      }) as Promise<Handle>,
    startWithUpdate: (request, awaited = request) =>
      temporal.client.workflow.executeUpdateWithStart<Workflow, Receipt, [unknown]>(UPDATES.awaitDelivery, {
        args: [awaited],
        startWorkflowOperation: new WithStartWorkflowOperation(WORKFLOW_TYPES.prepare, {
          workflowId: workflowIdFor(request.orgId, request.sourceOrgId),
          taskQueue,
          args: [request],
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
        }),
      }),
    handleOf: ({ orgId, sourceOrgId }) =>
      temporal.client.workflow.getHandle(workflowIdFor(orgId, sourceOrgId)),
    runClient: (...args) => run(['--task-queue', taskQueue, ...args], embeddedEnv(temporal.address)),
    tokenFiles: () => readdirSync(tokensFolder),
    tokens: () =>
      readdirSync(tokensFolder).map((name) => readFileSync(path.join(tokensFolder, name), 'utf8')),
    async dispose() {
      await Promise.all(workers.map((worker) => worker.kill()));
      rmSync(folder, { recursive: true, force: true });
    },
  };

  mkdirSync(tokensFolder);
  writeFileSync(keysFile, JSON.stringify({ keys: [makeKey(new Date())] }), { mode: 0o600 });
  deployment.configure(config);
  return deployment;
}

/** `files` stores every token, and `rejects` none. */
export const FILE_SINKS = {
  files: { type: 'file', directory: 'tokens' },
  rejects: { type: 'file', directory: 'sealing-keys.json' },
};

/** Waits are short, so that tests are. */
const TEST_CONFIG = {
  sinks: { files: FILE_SINKS.files },
  sealing: { keys: { file: 'sealing-keys.json' } },
  atlas: { requestTimeoutMs: 5000 },
  retries: {
    create: { initialIntervalMs: 20, maximumIntervalMs: 100 },
    deliver: { initialIntervalMs: 20, maximumIntervalMs: 400, roundMs: 1500, firstPauseMs: 600_000 },
  },
  health: { port: 0 },
} satisfies Config;

/** JSON, which is YAML too. */
function yamlOf(settings: Config): string {
  return JSON.stringify({ ...TEST_CONFIG, ...settings }, null, 2);
}

/** Runs a program of dist/ to its end. */
export function runProgram(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<ClientExit> {
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [program, ...args],
      { env, timeout: CLIENT_TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error && typeof error.code !== 'number') {
          reject(new Error(`${path.basename(program)} ${args.join(' ')} did not end: ${stdout}${stderr}`));
          return;
        }
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
      },
    );
  });
}
