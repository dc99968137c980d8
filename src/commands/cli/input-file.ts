import { statSync, type Stats } from 'node:fs';
import { errnoOf } from '../../errno';
import { CommandError, EXIT_CODES } from './command-error';

export type InputFile = ReturnType<typeof inputFile>;

/**
 * An existing file that an option names.
 *
 * @param option such as `--from`.
 * @param remedy what to do instead of naming a pipe or a device, whose end may never come.
 * @throws CommandError with exit code 2.
 */
export function inputFile(option: string, file: string, remedy: string) {
  const invalid = (why: string) => new CommandError(`${option} ${file} ${why}`, EXIT_CODES.usage);
  /** @param error of an operation on the file. */
  const unreadable = (error: unknown) => invalid(`cannot be read (${errnoOf(error)})`);
  let stats: Stats;
  try {
    stats = statSync(file);
  } catch (error) {
    throw unreadable(error);
  }
  if (!stats.isFile()) throw invalid(`is not a regular file: ${remedy}`);
  return { stats, invalid, unreadable };
}
