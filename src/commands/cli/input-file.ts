import { readFileSync, statSync } from 'node:fs';
import { errnoOf } from '../../files';
import { CommandError, EXIT_CODES } from './command-error';

/**
 * An existing file that an option names.
 *
 * @param option such as `--from`.
 * @param remedy what to do instead of naming a pipe or a device, whose end may never come.
 * @throws CommandError with exit code 2.
 */
export function inputFile(option: string, file: string, remedy: string) {
  const invalid = (why: string) => new CommandError(`${option} ${file} ${why}`, EXIT_CODES.usage);
  const attempt = <T>(operation: () => T): T => {
    try {
      return operation();
    } catch (error) {
      throw invalid(`cannot be read (${errnoOf(error)})`);
    }
  };
  const stats = attempt(() => statSync(file));
  if (!stats.isFile()) throw invalid(`is not a regular file: ${remedy}`);
  return {
    stats,
    invalid,
    read: (): Buffer => attempt(() => readFileSync(file)),
  };
}
