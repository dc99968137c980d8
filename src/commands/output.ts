import { escapeControls } from '../contract/printable';
import type { CommandError } from './command-error';
import { createStop, type Stop } from './stop';

/** Where a program writes: a stream of the process, or a test's own. */
export interface TextStream {
  write(text: string): unknown;
}

/**
 * What a command prints: lines for a person, or JSON for a machine, one object per line. Much of it comes from callers
 * and from the server, so control characters are escaped here, once for all.
 */
export interface Output {
  /** Lines for a person; left out of `--json`. */
  say(...lines: string[]): void;
  /** Lines that qualify the outcome, on standard error. */
  note(...lines: string[]): void;
  /** A part of the outcome, or the outcome: lines for a person, or the value as JSON. */
  print(value: object, lines: string | readonly string[]): void;
  /** What goes on when the command is stopped early: lines that end with the command that follows it. */
  readonly goesOn: (...lines: string[]) => void;
  /** Aborted when the command is stopped early. */
  readonly signal: AbortSignal;
  /** The error that ended the command: lines on standard error, and with `--json` an object on standard output. */
  error(error: CommandError): void;
}

export function createOutput(
  { stdout, stderr }: { stdout: TextStream; stderr: TextStream },
  json: boolean,
  { signal, goesOn }: Pick<Stop, 'signal' | 'goesOn'> = createStop(),
): Output {
  // What a stopped command still does may end in errors, which concern nobody.
  const write = (lines: readonly string[]) => signal.aborted || stdout.write(linesOf(lines));
  return {
    goesOn,
    signal,
    say(...lines) {
      if (!json) write(lines);
    },
    print(value, lines) {
      // JSON escapes C0 control characters only, and has no character outside a string that is escaped here.
      write(json ? [JSON.stringify(value)] : [lines].flat());
    },
    note(...lines) {
      if (!signal.aborted) stderr.write(linesOf(lines.map((line) => `note: ${line}`)));
    },
    error({ message, lines, facts }) {
      if (json) stdout.write(linesOf([JSON.stringify({ error: message, ...facts })]));
      const [first = '', ...others] = lines;
      stderr.write(linesOf([`live-migration-prep: ${first}`, ...others]));
    },
  };
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${escapeControls(line)}\n`).join('');
}
