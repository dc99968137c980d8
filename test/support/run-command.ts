import { embeddedEnv } from '../../dev/temporal/embedded-env';
import { createProgram } from '../../src/commands/program';
import type { Receipt } from '../../src/contract/schemas';

export interface ClientExit {
  code: number;
  stdout: string;
  stderr: string;
}

/** A command that runs in this process. */
export interface RunningCommand {
  /** What it has written to standard output and standard error so far. */
  output(): string;
  readonly exited: Promise<ClientExit>;
}

/** A port that nothing listens on: a command that should not need Temporal fails when it does. */
const NOWHERE = embeddedEnv('127.0.0.1:1');

// What is tested listens on 127.0.0.1; gRPC reads these from this process.
for (const name of Object.keys(process.env))
  if (/_proxy$/i.test(name)) Reflect.deleteProperty(process.env, name);

/** Runs a command to its end, as `live-migration-prep` with these arguments does. */
export function run(args: readonly string[], env: NodeJS.ProcessEnv = NOWHERE): Promise<ClientExit> {
  return startCommand(args, env).exited;
}

/** Starts a command whose output is read while it runs. */
export function startCommand(args: readonly string[], env: NodeJS.ProcessEnv): RunningCommand {
  const texts = { stdout: '', stderr: '' };
  const streamTo = (name: keyof typeof texts) => ({
    write: (text: string) => {
      texts[name] += text;
    },
  });
  const program = createProgram({ env, stdout: streamTo('stdout'), stderr: streamTo('stderr') });
  return {
    output: () => texts.stdout + texts.stderr,
    exited: program.run(args).then((code) => ({ code, ...texts })),
  };
}

/** What a command with `--json` prints: one object, and nothing else. */
export function objectIn({ stdout }: ClientExit): { receipt: Receipt } & Record<string, unknown> {
  expect(stdout.trim().split('\n')).toHaveLength(1);
  return JSON.parse(stdout) as { receipt: Receipt } & Record<string, unknown>;
}
