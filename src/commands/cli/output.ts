import { escapeControls } from '../../shared/text';
import type { CommandError } from './command-error';
import type { Stop } from './stop';

/** A stream of the process, or one of a test. */
interface TextStream {
  write(text: string): unknown;
}

/** The environment and the streams of a program. */
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
 * Prints for a command: lines for a person, or JSON for a machine, one object per line. It escapes control characters,
 * because callers and the server chose much of the text.
 */
export function createOutput(
  { stdout, stderr }: Pick<Io, 'stdout' | 'stderr'>,
  json: boolean,
  { signal, setFollowUp }: Pick<Stop, 'signal' | 'setFollowUp'>,
) {
  // A stopped command prints nothing more of the work that is still settling.
  const write = (lines: readonly string[]) => signal.aborted || stdout.write(formatLines(lines));
  return {
    setFollowUp,
    signal,
    /** Prints lines for a person; nothing with `--json`. */
    say(...lines: string[]) {
      if (!json) write(lines);
    },
    /** Prints the outcome or a part of it: lines for a person, or the value as JSON. */
    print(value: object, lines: string | readonly string[]) {
      // JSON escapes C0 control characters only, and has no character outside a string that is escaped here.
      write(json ? [JSON.stringify(value)] : [lines].flat());
    },
    /** Prints lines that qualify the outcome on standard error. */
    note(...lines: string[]) {
      if (!signal.aborted) stderr.write(formatLines(lines.map((line) => `note: ${line}`)));
    },
    /** Prints the error that ended the command on standard error; with `--json`, also as JSON on standard output. */
    error({ message, lines, facts }: CommandError) {
      if (json) stdout.write(formatLines([JSON.stringify({ error: message, ...facts })]));
      const [first = '', ...others] = lines;
      stderr.write(formatLines([`live-migration-prep: ${first}`, ...others]));
    },
  };
}

export type Row = readonly [name: string, value: string];

/** Formats two columns. */
export function describeRows(rows: readonly Row[]): string[] {
  return rows.map(([name, value]) => `  ${name.padEnd(16)}${value}`);
}

function formatLines(lines: readonly string[]): string {
  return lines.map((line) => `${escapeControls(line)}\n`).join('');
}
