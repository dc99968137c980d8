import { styleText } from 'node:util';
import type { Finding } from '../../contract/schemas';
import type { Step } from '../../contract/states';
import { cutAndEscape, escapeControls } from '../../shared/text';
import type { CommandError } from './command-error';
import type { Stop } from './stop';

type Stream = NodeJS.WritableStream & Partial<Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>>;

export interface Io {
  env: NodeJS.ProcessEnv;
  stdin?: NodeJS.ReadableStream;
  stdout: Stream;
  stderr: Stream;
  /** Aborted by Ctrl-C. */
  interrupt?: AbortSignal;
  /** Time in which Temporal must accept a connection: 10 s unless given. */
  connectTimeoutMs?: number;
}

/** Width of a terminal that does not tell its own: it tells 0. */
const DEFAULT_COLUMNS = 80;

/** Keeps a log of standard error short. */
const PROGRESS_INTERVAL_MS = 10_000;

/** Moves to the start of the line on a terminal, and clears it. */
const CLEAR_LINE = '\r\u001B[K';

/** A line with a word that may have a colour on a terminal: a state, or the program's name. */
export interface LineWithWord {
  before?: string;
  word: string;
  after?: string;
}

export type OutputLine = string | LineWithWord;

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
  /** The progress on the last line of the terminal; empty without one. */
  let progressLine = '';
  let nextProgressMs = 0;
  const showProgress = (text: string) => {
    if (progressLine || text) stderr.write(CLEAR_LINE + text);
    progressLine = text;
  };
  // The error of the stop needs the line.
  signal.addEventListener('abort', () => showProgress(''));
  // A stopped command prints nothing more of the work that is still settling.
  const write = (stream: Stream, lines: readonly OutputLine[]) => {
    if (signal.aborted) return;
    const text = progressLine;
    showProgress('');
    writeLines(stream, lines);
    showProgress(text);
  };
  return {
    setFollowUp,
    signal,
    /** Width of the terminal; null where a program may read the lines. */
    columns: stdout.isTTY && !json ? stdout.columns || DEFAULT_COLUMNS : null,
    /** Prints lines for a person; nothing with `--json`. */
    say(...lines: OutputLine[]): void {
      if (!json) write(stdout, lines);
    },
    /** Prints the outcome or a part of it: lines for a person, or the value as JSON. */
    print(value: object, lines: OutputLine | readonly OutputLine[]): void {
      // `JSON.stringify` escapes only C0 control characters. `write` escapes the others, which are
      // only in strings, so the JSON stays valid.
      write(stdout, json ? [JSON.stringify(value)] : [lines].flat());
    },
    /**
     * Shows on standard error how far the work is: on a terminal in one line, which the next call
     * replaces and an empty text removes; elsewhere in a line every ten seconds at most.
     */
    progress(text: string): void {
      if (signal.aborted) return;
      if (stderr.isTTY) {
        showProgress(cutAndEscape(text, (stderr.columns || DEFAULT_COLUMNS) - 1));
        return;
      }
      const nowMs = performance.now();
      if (text === '' || nowMs < nextProgressMs) return;
      nextProgressMs = nowMs + PROGRESS_INTERVAL_MS;
      writeLines(stderr, [text]);
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
      writeLines(stderr, [{ word: NAME, after: ` ${first}` }, ...details]);
    },
  };
}

/** Begins an error, so that it is known by whom in the output of a script. */
const NAME = 'live-migration-prep:';

type Colour = 'green' | 'yellow' | 'red';

const COLOURS: Readonly<Record<string, Colour>> = {
  delivered: 'green',
  undelivered: 'yellow',
  warning: 'yellow',
  failed: 'red',
  error: 'red',
  [NAME]: 'red',
} satisfies Partial<Record<Step | Finding['state'] | typeof NAME, Colour>>;

/** Writes lines, with colours on a terminal: FORCE_COLOR must not change what a script reads. */
function writeLines(stream: Stream, lines: readonly OutputLine[]): void {
  const paint = (word: string) => {
    const colour = COLOURS[word];
    return colour && stream.isTTY ? styleText(colour, word, { stream }) : word;
  };
  // Others chose much of the text, so it is escaped.
  const format = (line: OutputLine) => {
    if (typeof line === 'string') return escapeControls(line);
    const { before = '', word, after = '' } = line;
    return escapeControls(before) + paint(word) + escapeControls(after);
  };
  stream.write(lines.map((line) => `${format(line)}\n`).join(''));
}

export type TableRow = readonly [name: string, value: string];

const ROW_NAME_WIDTH = 16;

export function describeRows(rows: readonly TableRow[]): string[] {
  return rows.map(([name, value]) => `  ${name.padEnd(ROW_NAME_WIDTH)}${value}`);
}

/** Creates the gap between a word and the end of its column. */
export function createGap(word: string, width: number): string {
  return word.padEnd(width).slice(word.length);
}
