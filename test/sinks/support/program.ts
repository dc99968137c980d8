import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Program {
  /** What matched, groups included. */
  readonly ready: RegExpExecArray;
  /** All it wrote so far. */
  output(): string;
  /** Kills it at once, as a crash would. */
  kill(): Promise<void>;
}

const START_TIMEOUT_MS = 30_000;

/** Starts a server and waits until what it writes matches `ready`. */
export async function startProgram(
  command: string,
  args: readonly string[],
  ready: RegExp,
  env: Record<string, string> = {},
): Promise<Program> {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  const killOnExit = () => void child.kill('SIGKILL');
  process.once('exit', killOnExit);
  let output = '';
  const matched = await new Promise<RegExpExecArray>((resolve, reject) => {
    const fail = (reason: string) => reject(new Error(`${command} ${reason}:\n${output}`));
    const timer = setTimeout(() => fail('did not get ready'), START_TIMEOUT_MS);
    const onData = (chunk: Buffer) => {
      output += chunk.toString();
      const match = ready.exec(output);
      if (!match) return;
      clearTimeout(timer);
      resolve(match);
    };
    child.stdout.on('data', onData);
    child.stderr.on('data', onData);
    child.on('error', (error) => fail(error.message));
    child.on('exit', () => fail('ended'));
  });
  return {
    ready: matched,
    output: () => output,
    async kill() {
      process.off('exit', killOnExit);
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await exited;
    },
  };
}
