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
 * Reads the lines of a file that an option names, without blank ones.
 *
 * @param file `-` for standard input.
 * @throws CommandError with exit code 2 when the file cannot be read.
 */
export async function readLines(option: string, file: string, stdin: Stdin): Promise<Line[]> {
  const input = file === '-' && stdin ? stdin : createReadStream(file);
  const lines: Line[] = [];
  let line = 0;
  try {
    for await (const content of split(input)) {
      line += 1;
      const text = content.trim();
      if (text !== '') lines.push({ line, text });
    }
    return lines;
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
