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
import { makeKey } from '../../src/secrets/sealing';
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

export type Deployment = ReturnType<typeof createDeployment>;

/** Makes one operator's installation: a folder with configuration, keys and tokens, and a task queue. */
export function createDeployment({ temporal, atlasUrl, orgId, env, config = {} }: DeploymentOptions) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-test-'));
  const configFile = path.join(folder, 'live-migration-prep.yaml');
  const keysFile = path.join(folder, 'sealing-keys.json');
  const tokensFolder = path.join(folder, 'tokens');
  const taskQueue = `test-${newOrgId()}`;
  const workers: WorkerProcess[] = [];
  const workerEnv = { ...embeddedEnv(temporal.address), MONGODB_ATLAS_BASE_URL: atlasUrl, ...env };

  mkdirSync(tokensFolder);
  writeFileSync(keysFile, JSON.stringify({ keys: [makeKey(new Date())] }), { mode: 0o600 });

  /** Writes the configuration anew, for the workers that start from now on. */
  const configure = (settings: Config) => writeFileSync(configFile, yamlOf({ taskQueue, ...settings }));
  configure(config);

  /** Starts a worker and does not wait for it. */
  function spawnWorker(more: Record<string, string> = {}): WorkerProcess {
    const logFile = path.join(folder, `worker-${workers.length + 1}.log`);
    const worker = startWorkerProcess(configFile, logFile, { ...workerEnv, ...more });
    workers.push(worker);
    return worker;
  }

  /** Makes a request that no other run has, for sink `files`. */
  const newRequest = (more?: Partial<PrepareRequest>): PrepareRequest => ({
    orgId,
    accessListIps: ['192.31.196.7'],
    sink: 'files',
    sourceOrgId: newOrgId(),
    ...more,
  });

  /** Names the files in the sink's directory. */
  const tokenFiles = () => readdirSync(tokensFolder);

  return {
    folder,
    configFile,
    keysFile,
    tokensFolder,
    taskQueue,
    workers: workers as readonly WorkerProcess[],
    configure,
    spawnWorker,
    newRequest,
    tokenFiles,
    /** Returns the contents of these files. */
    tokens: () => tokenFiles().map((name) => readFileSync(path.join(tokensFolder, name), 'utf8')),
    /** Starts a worker and waits until it takes work. */
    async startWorker(more?: Record<string, string>): Promise<WorkerProcess> {
      const worker = spawnWorker(more);
      await untilRunning(worker);
      return worker;
    },
    /** Starts `prepareLiveMigration` as any caller would. */
    start: (request = newRequest(), recovery?: Recovery, options: StartOptions = {}) =>
      temporal.client.workflow.start(WORKFLOW_TYPES.prepare, {
        workflowId: workflowIdFor(request.orgId, request.sourceOrgId),
        taskQueue,
        args: recovery ? [request, recovery] : [request],
        workflowIdConflictPolicy: 'FAIL',
        ...options,
      }) as Promise<Handle>,
    /** Starts `prepareLiveMigration`, or joins the open run, with `awaitDelivery`, as docs/callers.md shows. */
    startWithUpdate: (request: PrepareRequest, awaited: unknown = request) =>
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
    /** Finds the run of a request, open or closed. */
    handleOf: ({ orgId, sourceOrgId }: PrepareRequest): Handle =>
      temporal.client.workflow.getHandle(workflowIdFor(orgId, sourceOrgId)),
    /** Runs a command to its end, on this deployment's task queue. */
    runClient: (...args: string[]) =>
      run(['--task-queue', taskQueue, ...args], embeddedEnv(temporal.address)),
    async dispose() {
      await Promise.all(workers.map((worker) => worker.kill()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
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
