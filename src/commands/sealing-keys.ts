import { realpath } from 'node:fs/promises';
import { Command } from '@commander-js/extra-typings';
import { readFileIfPresent, systemErrorCode, writeFileAtomically } from '../files';
import { formatCount } from '../shared/text';
import { CommandError, usageError } from './cli/command-error';
import type { ProgramContext } from './cli/context';
import { formatExamples } from './cli/help';
import type { Output } from './cli/output';

export const sealingKeysCommand = ({ output }: ProgramContext) =>
  new Command('sealing-keys')
    .description('create the keys that seal tokens in histories')
    .requiredOption('--file <file>', 'file to write, mode 0600 (required)')
    .option('--rotate', 'add a new key that seals tokens; the others in the file still open them')
    .addHelpText(
      'after',
      formatExamples(
        'sealing-keys --file sealing-keys.json',
        'sealing-keys --file sealing-keys.json --rotate',
      ),
    )
    .action(({ file, rotate }) => makeKeys(file, rotate, output()));

async function makeKeys(file: string, rotate: true | undefined, output: Output): Promise<void> {
  const current = await readFileIfPresent(file).catch((error: unknown) => {
    throw new CommandError(
      `${file} cannot be read (${systemErrorCode(error)}): correct its path, or run as its owner`,
    );
  });
  // A new set would open no token that is already sealed.
  if (current !== null && !rotate) {
    throw usageError(`${file} exists: add --rotate to add a new key to it, or name another file`);
  }
  if (current === null && rotate) {
    throw usageError(
      `${file} does not exist: correct its path, or leave out --rotate to make the first key`,
    );
  }
  const { makeKey, sealingKeysFormat } = await import('../secrets/sealing.js');
  if (current !== null && sealingKeysFormat(current) !== null) {
    throw new CommandError(
      `${file} is not a JWK set of 256-bit keys, and may be damaged: restore it from the workers,` +
        ' since only its keys open the tokens that are sealed with them',
    );
  }
  const { keys: currentKeys } = JSON.parse(current ?? '{"keys":[]}') as { keys: unknown[] };
  const key = makeKey(new Date());
  const keys = [key, ...currentKeys];
  // A renamed file would replace a link, and leave its target without the new key.
  const target = current === null ? file : await realpath(file);
  await writeFileAtomically(target, `${JSON.stringify({ keys }, null, 2)}\n`).catch(
    (error: unknown) => {
      throw new CommandError(
        `${file} cannot be written (${systemErrorCode(error)}): name one in a writable folder`,
      );
    },
  );
  const next = rotate
    ? 'give the file to every worker, then restart them one at a time'
    : 'give the file to every worker, and name it under sealing.keys';
  output.print(
    { file, kid: key.kid, keys: keys.length },
    `wrote ${file} (mode 0600): key ${key.kid} seals,` +
      ` ${formatCount(keys.length, 'key')} can open; ${next}`,
  );
}
