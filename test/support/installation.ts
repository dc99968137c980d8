import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { WorkflowHandle, WorkflowStartOptions } from '@temporalio/client';
import { devServerEnv } from '../../dev/temporal/dev-server-env';
import type { PrepareRequest, Receipt } from '../../src/contract/schemas';
import { workflowIdFor } from '../../src/contract/workflow-id';
import { WORKFLOW_TYPES } from '../../src/contract/workflows';
import { makeKey } from '../../src/secrets/sealing';
import { credentialEnv, startAtlas, type TestAtlas } from './atlas';
import { cleanUpLater, newFolder } from './clean-up';
import { newAddress, newOrgId } from './ids';
import { run } from './run-command';
import { sharedTemporal, type Temporal } from './temporal';
import { startWorkerProcess, untilRunning, type WorkerProcess } from './worker-process';

export type Handle = WorkflowHandle<(request: PrepareRequest) => Promise<Receipt>>;

export type Config = Record<string, object | string | boolean>;

/** `files` stores every token, and `rejects` none. */
export const FILE_SINKS = {
  files: { type: 'file', directory: 'tokens' },
  rejects: { type: 'file', directory: 'sealing-keys.json' },
};

/** Waits are short, so that tests are. Timeouts are for what hangs, on the busiest machine. */
const TEST_CONFIG = {
  sinks: { files: FILE_SINKS.files },
  sealing: { keys: { file: 'sealing-keys.json' } },
  atlas: { requestTimeoutMs: 60_000 },
  // The longest delay is the first pause between rounds, which no test sees the end of.
  retries: { initialIntervalMs: 20, maximumIntervalMs: 600_000, roundMs: 1500 },
  health: { port: 0 },
} satisfies Config;

/** Makes a first round outlast every test that watches it. */
export const LONG_ROUNDS: Config = {
  retries: { ...TEST_CONFIG.retries, maximumIntervalMs: 400, roundMs: 600_000 },
};

export type System = Awaited<ReturnType<typeof startSystem>>;

export type SystemOptions = Omit<InstallOptions, 'atlas'> & { atlas?: TestAtlas };

/**
 * Starts an emulator, an installation with {@link FILE_SINKS}, and a worker, which takes work. All
 * three are gone after the last test.
 */
export async function startSystem(options: SystemOptions = {}) {
  const atlas = options.atlas ?? (await startAtlas());
  const config = { sinks: FILE_SINKS, ...options.config };
  const installation = await install({ ...options, atlas, config });
  return { atlas, installation, worker: await installation.startWorker() };
}

interface InstallOptions {
  atlas: Pick<TestAtlas, 'url' | 'account'>;
  /** Settings that replace those of every test, section by section. */
  config?: Config;
  /** Further environment of a worker. */
  env?: Record<string, string>;
  temporal?: Temporal;
  /** Options of every run. */
  runOptions?: Pick<WorkflowStartOptions, 'workflowTaskTimeout'>;
}

export type Installation = Awaited<ReturnType<typeof install>>;

/**
 * Creates one operator's installation: a folder with configuration, keys and tokens, and a task
 * queue. It is gone after the last test, with its workers.
 */
export async function install({
  atlas: { url, account },
  config = {},
  env = {},
  temporal: ownTemporal,
  runOptions = {},
}: InstallOptions) {
  const temporal = ownTemporal ?? (await sharedTemporal());
  const folder = newFolder();
  const configFile = path.join(folder, 'live-migration-prep.yaml');
  const keysFile = path.join(folder, 'sealing-keys.json');
  const tokensFolder = path.join(folder, 'tokens');
  const taskQueue = `test-${newOrgId()}`;
  const workers: WorkerProcess[] = [];
  const workerEnv = {
    ...devServerEnv(temporal.address),
    MONGODB_ATLAS_BASE_URL: url,
    ...credentialEnv(account),
    ...env,
  };
  cleanUpLater(() => Promise.all(workers.map((worker) => worker.kill())));

  mkdirSync(tokensFolder);
  writeFileSync(keysFile, JSON.stringify({ keys: [makeKey(new Date())] }), { mode: 0o600 });

  /** Writes the configuration anew, for the workers that start from now on. JSON is YAML too. */
  const configure = (settings: Config) =>
    writeFileSync(configFile, JSON.stringify({ ...TEST_CONFIG, taskQueue, ...settings }));
  configure(config);

  /** Starts a worker and does not wait for it. */
  function spawnWorker(more: Record<string, string> = {}): WorkerProcess {
    const logFile = path.join(folder, `worker-${workers.length + 1}.log`);
    const worker = startWorkerProcess(configFile, logFile, { ...workerEnv, ...more });
    workers.push(worker);
    return worker;
  }

  /**
   * Creates a request for sink `files`, with organizations and an address that no other run has.
   */
  const newRequest = (more?: Partial<PrepareRequest>): PrepareRequest => ({
    orgId: account.orgId,
    accessListIps: [newAddress()],
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
    runOptions,
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
    start: (request = newRequest(), options: Pick<WorkflowStartOptions, 'startDelay'> = {}) =>
      temporal.client.workflow.start(WORKFLOW_TYPES.prepare, {
        workflowId: workflowIdFor(request),
        taskQueue,
        args: [request],
        workflowIdConflictPolicy: 'FAIL',
        ...runOptions,
        ...options,
      }) as Promise<Handle>,
    /** Finds the run of a request, open or closed. */
    handleOf: (request: PrepareRequest): Handle =>
      temporal.client.workflow.getHandle(workflowIdFor(request)),
    /** Runs a command to its end, on this installation's task queue. */
    runClient: (...args: string[]) =>
      run(['--task-queue', taskQueue, ...args], devServerEnv(temporal.address)),
  };
}
