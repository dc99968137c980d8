import { readFile } from 'node:fs/promises';
import { systemErrorCode, writeFileAtomically } from '../files';
import { createSealer, makeKey } from '../sealing';
import { formatCount } from '../shared/text';
import { CommandError, EXIT_CODES } from './cli/command-error';
import type { Output } from './cli/output';

/**
 * Writes the JWK set that seals tokens, with mode 0600.
 *
 * @param options `rotate` puts a new key before those in the file, which must exist and still open what they sealed.
 * @throws CommandError
 */
export async function makeKeys(
  { file, rotate }: { file: string; rotate: boolean },
  output: Output,
): Promise<void> {
  const current = await readFile(file, 'utf8').catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw new CommandError(
      `${file} cannot be read (${systemErrorCode(error)}): correct its path, or run this as its owner`,
    );
  });
  // A new set would open no token that is already sealed.
  if (current !== null && !rotate) {
    throw new CommandError(`${file} exists: add --rotate to put a new key before its keys`, EXIT_CODES.usage);
  }
  if (current === null && rotate) {
    throw new CommandError(
      `${file} does not exist: correct its path, or leave out --rotate to make the first key`,
      EXIT_CODES.usage,
    );
  }
  const key = makeKey(new Date());
  const keys = [key, ...(current === null ? [] : parseKeys(file, current))];
  await writeFileAtomically(file, `${JSON.stringify({ keys }, null, 2)}\n`).catch((error: unknown) => {
    throw new CommandError(
      `${file} cannot be written (${systemErrorCode(error)}): name a file in a folder that you can write to`,
    );
  });
  const next = rotate
    ? 'give the file to every worker, then restart them one at a time'
    : 'give the file to every worker, and name it under sealing.keys';
  output.print(
    { file, kid: key.kid, keys: keys.length },
    `wrote ${file} (mode 0600): key ${key.kid} seals, ${formatCount(keys.length, 'key')} can open; ${next}`,
  );
}

/** @throws CommandError when the text is not a set of keys that can open tokens. */
function parseKeys(file: string, text: string): unknown[] {
  try {
    createSealer(() => text);
    return (JSON.parse(text) as { keys: unknown[] }).keys;
  } catch {
    throw new CommandError(
      `${file} is not a JWK set of 256-bit keys, and may be damaged: restore it from the workers,` +
        ' since only its keys open the tokens that are sealed with them',
    );
  }
}
