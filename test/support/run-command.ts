import { execFile } from 'node:child_process';
import { Readable, Writable } from 'node:stream';
import { devServerEnv } from '../../dev/temporal/dev-server-env';
import type { Io } from '../../src/commands/cli/output';
import { runProgram as runInProcess } from '../../src/commands/program';
import type { Receipt } from '../../src/contract/schemas';

export interface ClientExit {
  code: number;
  stdout: string;
  stderr: string;
}

/** A port that nothing listens on: a command that should not need Temporal fails when it does. */
export const NOWHERE: NodeJS.ProcessEnv = devServerEnv('127.0.0.1:1');

// Servers of tests listen on 127.0.0.1, and gRPC would read the proxies of this process.
for (const name of Object.keys(process.env)) {
  if (/_proxy$/i.test(name)) Reflect.deleteProperty(process.env, name);
}

/** A stream whose texts `onText` gets at once. */
export function textStream(onText: (text: string) => unknown): Writable {
  return new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      onText(text);
      done();
    },
  });
}

/** Runs a command to its end, as `live-migration-prep` with these arguments does. */
export function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv = NOWHERE,
): Promise<ClientExit> {
  return startCommand(args, env).exited;
}

/** Starts a command whose output is read while it runs. */
export function startCommand(
  args: readonly string[],
  env: NodeJS.ProcessEnv = NOWHERE,
  stdin?: string,
) {
  const texts = { stdout: '', stderr: '' };
  const streamTo = (name: keyof typeof texts) => textStream((text) => (texts[name] += text));
  const interrupt = new AbortController();
  const io: Io = {
    env,
    stdout: streamTo('stdout'),
    stderr: streamTo('stderr'),
    interrupt: interrupt.signal,
  };
  if (stdin !== undefined) io.stdin = Readable.from([stdin]);
  // On a busy machine, a server may take long to accept a connection.
  if (env !== NOWHERE) io.connectTimeoutMs = 120_000;
  return {
    output: () => texts.stdout + texts.stderr,
    /** Does the same as Ctrl-C. */
    interrupt: () => interrupt.abort(),
    exited: runInProcess(io, args).then((code) => ({ code, ...texts })),
  };
}

/** Matches lines that follow each other; with the flag `m`, anywhere in a text. */
export const linesLike = (lines: readonly RegExp[], flags = '') =>
  new RegExp(lines.map(({ source }) => source).join('\\n'), flags);

type Printed = { receipt: Receipt } & Record<string, unknown>;

/** Parses the output of a command with `--json`: an object per line, and nothing else. */
export function objectsIn({ stdout }: Pick<ClientExit, 'stdout'>): Printed[] {
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Printed);
}

/** The only object that a command prints. */
export function objectIn(exit: Pick<ClientExit, 'stdout'>): Printed {
  const objects = objectsIn(exit);
  expect(objects).toHaveLength(1);
  return objects[0] as Printed;
}

/** @throws Error with its output unless the process ends by itself, within ten minutes. */
export function runToEnd(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd?: string,
): Promise<ClientExit> {
  const options = { env, cwd, timeout: 600_000, maxBuffer: 64 * 1024 * 1024 };
  return new Promise((resolve, reject) => {
    execFile(file, args, options, (error, stdout, stderr) => {
      const code = error ? error.code : 0;
      if (typeof code === 'number') resolve({ code, stdout, stderr });
      else reject(new Error(`${file} ${args.join(' ')} did not end: ${stdout}${stderr}`));
    });
  });
}
