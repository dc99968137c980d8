import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { systemErrorCode } from '../../files';
import { CommandError, EXIT_CODES } from './command-error';

export interface Line {
  /** From 1. */
  number: number;
  text: string;
}

/**
 * Reads the lines of a file that an option names, without blank ones.
 *
 * @param file `-` for standard input.
 * @throws CommandError with exit code 2.
 */
export async function readLines(
  option: string,
  file: string,
  stdin: NodeJS.ReadableStream | undefined,
): Promise<Line[]> {
  try {
    // `readFile` of standard input fails with EAGAIN on a pipe.
    const content = file === '-' && stdin ? await text(stdin) : await readFile(file, 'utf8');
    return content
      .split('\n')
      .map((line, index) => ({ number: index + 1, text: line.trim() }))
      .filter((line) => line.text !== '');
  } catch (error) {
    throw new CommandError(`${option} ${file} cannot be read (${systemErrorCode(error)})`, EXIT_CODES.usage);
  }
}
