import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const END_WITH_PARENT = path.join(__dirname, 'end-with-parent.sh');

const POLL_INTERVAL_MS = 20;
// For what never happens, on the busiest machine.
const OUTPUT_TIMEOUT_MS = 600_000;

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/**
 * Starts a process that ends when this one does, however this one ends. Both its outputs are
 * appended to `logFile`.
 *
 * Ctrl-C in the terminal does not reach it, so that this process can end its children in order.
 */
export function startChildProcess(
  command: string,
  args: readonly string[],
  { env, logFile }: { env: NodeJS.ProcessEnv; logFile: string },
) {
  appendFileSync(logFile, '');
  const child = spawn(END_WITH_PARENT, [...args, logFile, command], {
    env,
    detached: true,
    stdio: 'ignore',
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${END_WITH_PARENT} cannot be started`);
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const output = () => readFileSync(logFile, 'utf8');
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  return {
    pid,
    /** Resolves when the process has ended. */
    exited,
    hasEnded,
    /** Returns everything written to standard output and standard error so far. */
    output,
    /** Waits until the output matches. @throws Error with the output, even after a timeout. */
    async untilOutput(pattern: RegExp): Promise<RegExpExecArray> {
      const deadline = Date.now() + OUTPUT_TIMEOUT_MS;
      for (;;) {
        const isOver = hasEnded() || Date.now() > deadline;
        const match = pattern.exec(output());
        if (match) return match;
        if (isOver) throw new Error(`${command} did not write ${String(pattern)}:\n${output()}`);
        await sleep(POLL_INTERVAL_MS);
      }
    },
    /** Sends a signal and waits until the process has ended. */
    end(signal: NodeJS.Signals): Promise<Exit> {
      child.kill(signal);
      return exited;
    },
  };
}
