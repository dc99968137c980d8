import { readFile } from 'node:fs/promises';
import { text as readText } from 'node:stream/consumers';
import { systemErrorCode } from '../../files';
import { usageError } from './command-error';

export type Stdin = NodeJS.ReadableStream | undefined;

/**
 * Reads the lines of a file that an option names, without blank ones.
 *
 * @param file `-` for standard input.
 * @throws CommandError with exit code 2 when the file cannot be read.
 */
export async function readLines(option: string, file: string, stdin: Stdin) {
  try {
    // `readFile` of standard input fails with EAGAIN on a pipe.
    const content = await (file === '-' && stdin ? readText(stdin) : readFile(file, 'utf8'));
    const lines = content
      .split('\n')
      .map((text, index) => ({ line: index + 1, text: text.trim() }));
    return lines.filter(({ text }) => text !== '');
  } catch (error) {
    throw usageError(
      `${option} ${file} cannot be read (${systemErrorCode(error)}): correct its path`,
    );
  }
}
