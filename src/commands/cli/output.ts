import { escapeControls } from '../../contract/printable';
import type { CommandError } from './command-error';
import type { Stop } from './stop';

/** Where a program writes: a stream of the process, or a test's own. */
interface TextStream {
  write(text: string): unknown;
}

/** What the program reads and writes. */
export interface Io {
  env: NodeJS.ProcessEnv;
  stdin?: NodeJS.ReadableStream;
  stdout: TextStream;
  stderr: TextStream;
  /** Aborted by Ctrl-C. */
  interrupt?: AbortSignal;
}

export type Output = ReturnType<typeof createOutput>;

/**
 * What a command prints: lines for a person, or JSON for a machine, one object per line. Much of it comes from callers
 * and from the server, so control characters are escaped here, once for all.
 */
export function createOutput(
  { stdout, stderr }: Pick<Io, 'stdout' | 'stderr'>,
  json: boolean,
  { signal, setFollowUp }: Pick<Stop, 'signal' | 'setFollowUp'>,
) {
  // What a stopped command still does may end in errors, which concern nobody.
  const write = (lines: readonly string[]) => signal.aborted || stdout.write(formatLines(lines));
  return {
    setFollowUp,
    signal,
    /** Lines for a person; left out of `--json`. */
    say(...lines: string[]) {
      if (!json) write(lines);
    },
    /** A part of the outcome, or the outcome: lines for a person, or the value as JSON. */
    print(value: object, lines: string | readonly string[]) {
      // JSON escapes C0 control characters only, and has no character outside a string that is escaped here.
      write(json ? [JSON.stringify(value)] : [lines].flat());
    },
    /** Lines that qualify the outcome, on standard error. */
    note(...lines: string[]) {
      if (!signal.aborted) stderr.write(formatLines(lines.map((line) => `note: ${line}`)));
    },
    /** The error that ended the command: lines on standard error, and with `--json` an object on standard output. */
    error({ message, lines, facts }: CommandError) {
      if (json) stdout.write(formatLines([JSON.stringify({ error: message, ...facts })]));
      const [first = '', ...others] = lines;
      stderr.write(formatLines([`live-migration-prep: ${first}`, ...others]));
    },
  };
}

export type Row = readonly [name: string, value: string];

/** Lines of two columns. */
export function describeRows(rows: readonly Row[]): string[] {
  return rows.map(([name, value]) => `  ${name.padEnd(16)}${value}`);
}

function formatLines(lines: readonly string[]): string {
  return lines.map((line) => `${escapeControls(line)}\n`).join('');
}
