import { escapeControls } from '../contract/printable';
import type { CommandError } from './command-error';

/** Where a program writes: a stream of the process, or a test's own. */
export interface TextStream {
  write(text: string): unknown;
}

/**
 * What a command prints: lines for a person, or one JSON object for a machine. Much of it comes from callers and from the
 * server, so control characters are escaped here, once for all.
 */
export interface Output {
  /** Lines for a person; left out of `--json`. */
  say(...lines: string[]): void;
  /** The outcome: lines for a person, or the value as JSON. */
  outcome(value: object, lines: string | readonly string[]): void;
  /** The error that ended the command: lines on standard error, and with `--json` an object on standard output. */
  error(error: CommandError): void;
}

export function createOutput(
  { stdout, stderr }: { stdout: TextStream; stderr: TextStream },
  json: boolean,
): Output {
  const print = (lines: readonly string[]) => stdout.write(linesOf(lines));
  // JSON escapes C0 control characters only, and has no character outside a string that is escaped here.
  const printJson = (value: object) => print([JSON.stringify(value)]);
  return {
    say(...lines) {
      if (!json) print(lines);
    },
    outcome(value, lines) {
      if (json) printJson(value);
      else print(typeof lines === 'string' ? [lines] : lines);
    },
    error({ message, lines, facts }) {
      if (json) printJson({ error: message, ...facts });
      const [first = '', ...others] = lines;
      stderr.write(linesOf([`live-migration-prep: ${first}`, ...others]));
    },
  };
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${escapeControls(line)}\n`).join('');
}
