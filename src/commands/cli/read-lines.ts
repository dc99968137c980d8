import { createReadStream } from 'node:fs';
import { systemErrorCode } from '../../files';
import { usageError } from './command-error';

export type Stdin = NodeJS.ReadableStream | undefined;

/** A line of a file, without the white space around it. */
export interface Line {
  /** The number of the line, from 1. */
  line: number;
  text: string;
}

/**
 * Yields the lines of a file that an option names, without blank ones.
 *
 * @param file `-` for standard input.
 * @throws CommandError with exit code 2 when the file cannot be read.
 */
export async function* streamLines(
  option: string,
  file: string,
  stdin: Stdin,
): AsyncGenerator<Line> {
  const input = file === '-' && stdin ? stdin : createReadStream(file);
  let line = 0;
  try {
    for await (const content of split(input)) {
      line += 1;
      const text = content.trim();
      if (text !== '') yield { line, text };
    }
  } catch (error) {
    throw usageError(
      `${option} ${file} cannot be read (${systemErrorCode(error)}): correct its path`,
    );
  }
}

/** From Node 24 on, `readline` ends a line at U+2028 as well, which JSON does not escape. */
async function* split(input: NodeJS.ReadableStream): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of input.setEncoding('utf8')) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  yield rest;
}

/** Reads all these lines, of a file that fits in memory. */
export async function readLines(option: string, file: string, stdin: Stdin): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const line of streamLines(option, file, stdin)) lines.push(line);
  return lines;
}
