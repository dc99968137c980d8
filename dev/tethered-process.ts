import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface TetheredProcess {
  readonly pid: number;
  isRunning(): boolean;
  /** Resolves when the process has ended. */
  readonly exited: Promise<Exit>;
  /** Sends a signal and waits until the process has ended. */
  end(signal: NodeJS.Signals): Promise<Exit>;
}

export interface TetheredOptions {
  env: NodeJS.ProcessEnv;
  /** Both outputs are appended to it; without one they are dropped. */
  logFile?: string | undefined;
}

/**
 * Starts a process that ends when this one does, however this one ends.
 *
 * Ctrl-C in the terminal does not reach it, so that its owner can end things in order.
 */
export function startTethered(
  command: string,
  args: readonly string[],
  { env, logFile }: TetheredOptions,
): TetheredProcess {
  const output = logFile === undefined ? 'ignore' : openSync(logFile, 'a');
  const child = spawn('/bin/sh', [path.join(__dirname, 'tether.sh'), command, ...args], {
    env,
    detached: true,
    stdio: ['ignore', output, output, 'pipe'],
  });
  if (output !== 'ignore') closeSync(output);
  const { pid } = child;
  if (pid === undefined) throw new Error('/bin/sh cannot be started');

  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      child.stdio[3]?.destroy();
      resolve({ code, signal });
    });
  });
  return {
    pid,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    exited,
    end(signal) {
      child.kill(signal);
      return exited;
    },
  };
}
