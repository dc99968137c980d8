import path from 'node:path';
import { startTethered, type Exit } from '../../dev/temporal/tethered-process';

const WORKER = path.join(__dirname, '../../dist/worker.js');

/** The built worker, running as a process of its own. */
export interface WorkerProcess {
  readonly pid: number;
  /** Returns everything written to standard output and standard error. */
  output(): string;
  /** Waits until the output matches. */
  untilOutput(pattern: RegExp): Promise<unknown>;
  /** Lines of its log with this message. */
  logged(message: string): Record<string, unknown>[];
  /** Such as `http://127.0.0.1:4711`. */
  healthUrl(): string;
  readonly exited: Promise<Exit>;
  /** Sends SIGTERM and does not wait. */
  drain(): void;
  /** SIGTERM, and the end of the process. */
  stop(): Promise<Exit>;
  /** SIGKILL, as a crash. */
  kill(): Promise<Exit>;
}

/** Starts dist/worker.js. Whether it came up is for the caller to see, or to wait for with {@link untilRunning}. */
export function startWorkerProcess(
  configFile: string,
  logFile: string,
  env: NodeJS.ProcessEnv,
): WorkerProcess {
  const child = startTethered(process.execPath, [WORKER, '--config', configFile], {
    env,
    logFile,
  });
  const logged = (message: string) =>
    child
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ msg }) => msg === message);
  return {
    ...child,
    logged,
    healthUrl: () => logged('worker starts')[0]?.['health'] as string,
    drain: () => void process.kill(child.pid, 'SIGTERM'),
    stop: () => child.end('SIGTERM'),
    kill: () => child.end('SIGKILL'),
  };
}

/** @throws Error with its output when it ends instead. */
export async function untilRunning(worker: WorkerProcess): Promise<void> {
  await worker.untilOutput(/"state":"RUNNING"/);
}

/** Parses the lines that a worker printed, on standard output and standard error. The last line may still be on its way. */
export function linesOf(worker: WorkerProcess): Record<string, unknown>[] {
  return worker
    .output()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
