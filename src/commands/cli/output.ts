import { cutAndEscape, escapeControls } from '../../shared/text';
import type { CommandError } from './command-error';
import type { Stop } from './stop';

export interface Io {
  env: NodeJS.ProcessEnv;
  stdin?: NodeJS.ReadableStream;
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream & Partial<Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>>;
  /** Aborted by Ctrl-C. */
  interrupt?: AbortSignal;
  /** Time in which Temporal must accept a connection: 10 s unless given. */
  connectTimeoutMs?: number;
}

/** Width of a terminal that does not tell its own: it tells 0. */
const DEFAULT_COLUMNS = 80;

/** Moves to the start of the line on a terminal, and clears it. */
const CLEAR_LINE = '\r\u001B[K';

/** Keeps a log of standard error short. */
const PROGRESS_INTERVAL_MS = 10_000;

export type Output = ReturnType<typeof createOutput>;

/**
 * Creates what prints for a command: lines for a person, or JSON for a machine, one object per
 * line. It escapes control characters: callers and the server chose much of the text.
 */
export function createOutput(
  { stdout, stderr }: Pick<Io, 'stdout' | 'stderr'>,
  json: boolean,
  stop: Stop,
) {
  const { signal, setFollowUp } = stop;
  const noted = new Set<string | null>([null]);
  let lastProgress = '';
  let nextProgressMs = 0;
  /** The progress on the last line of the terminal; empty without one. */
  let liveLine = '';
  const showLiveLine = (text: string) => {
    if (liveLine || text) stderr.write(CLEAR_LINE + text);
    liveLine = text;
  };
  // The error of the stop needs the line.
  signal.addEventListener('abort', () => showLiveLine(''));
  // A stopped command prints nothing more of the work that is still settling.
  const write = (stream: NodeJS.WritableStream, lines: readonly string[]) => {
    if (signal.aborted) return;
    const text = liveLine;
    showLiveLine('');
    writeLines(stream, lines);
    showLiveLine(text);
  };
  return {
    setFollowUp,
    signal,
    /** Prints lines for a person; nothing with `--json`. */
    say(...lines: string[]): void {
      if (!json) write(stdout, lines);
    },
    /** Prints the outcome or a part of it: lines for a person, or the value as JSON. */
    print(value: object, lines: string | readonly string[]): void {
      // `JSON.stringify` escapes only C0 control characters. `write` escapes the others, which are
      // only in strings, so the JSON stays valid.
      write(stdout, json ? [JSON.stringify(value)] : [lines].flat());
    },
    /**
     * Shows on standard error how far the work is: on a terminal in one line, which the next call
     * replaces and an empty text removes; elsewhere in a line when that has changed, every ten
     * seconds at most.
     */
    progress(text: string): void {
      if (signal.aborted) return;
      if (stderr.isTTY) {
        showLiveLine(cutAndEscape(text, (stderr.columns || DEFAULT_COLUMNS) - 1));
        return;
      }
      const nowMs = performance.now();
      if (text === '' || text === lastProgress || nowMs < nextProgressMs) return;
      lastProgress = text;
      nextProgressMs = nowMs + PROGRESS_INTERVAL_MS;
      write(stderr, [text]);
    },
    /** Asks a person, on standard error. */
    ask(question: string): void {
      write(stderr, [question]);
    },
    /** Prints lines that qualify the outcome on standard error, each once and none that is null. */
    note(...lines: (string | null)[]): void {
      for (const line of lines) {
        if (noted.has(line) || signal.aborted) continue;
        noted.add(line);
        write(stderr, [`note: ${line}`]);
      }
    },
    /**
     * Prints the error that ended the command on standard error; with `--json`, also as JSON on
     * standard output.
     */
    error({ message, lines, facts }: CommandError): void {
      if (json) writeLines(stdout, [JSON.stringify({ error: message, ...facts })]);
      const [first = '', ...details] = lines;
      writeLines(stderr, [`live-migration-prep: ${first}`, ...details]);
    },
  };
}

/** Writes lines. Others chose much of their text, so it is escaped. */
function writeLines(stream: NodeJS.WritableStream, lines: readonly string[]): void {
  stream.write(lines.map((line) => `${escapeControls(line)}\n`).join(''));
}

export type TableRow = readonly [name: string, value: string];

const ROW_NAME_WIDTH = 16;

export function describeRows(rows: readonly TableRow[]): string[] {
  return rows.map(([name, value]) => `  ${name.padEnd(ROW_NAME_WIDTH)}${value}`);
}
