import path from 'node:path';
import { startChildProcess } from '../../dev/temporal/child-process';

const WORKER = path.join(__dirname, '../../dist/worker.js');

export type WorkerProcess = ReturnType<typeof startWorkerProcess>;

/** Starts dist/worker.js and does not wait: see {@link untilRunning}. */
export function startWorkerProcess(configFile: string, logFile: string, env: NodeJS.ProcessEnv) {
  const args = [WORKER, '--config', configFile];
  const child = startChildProcess(process.execPath, args, { env, logFile });
  /** Returns the lines of its log with this message. */
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
    /** Returns a URL such as `http://127.0.0.1:4711`. */
    healthUrl: () => logged('worker starts')[0]?.['health'] as string,
    /** Sends SIGTERM and does not wait. */
    drain: () => void process.kill(child.pid, 'SIGTERM'),
    stop: () => child.end('SIGTERM'),
    kill: () => child.end('SIGKILL'),
  };
}

/** Waits until the worker runs. @throws Error with its output if it ends instead. */
export async function untilRunning(worker: WorkerProcess): Promise<void> {
  await worker.untilOutput(/"state":"RUNNING"/);
}

/**
 * Parses the lines that a worker printed, on standard output and standard error. The last line may
 * still be on its way.
 */
export function linesOf(worker: WorkerProcess): Record<string, unknown>[] {
  return worker
    .output()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
