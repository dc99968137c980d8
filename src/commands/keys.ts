import { lstat, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomically } from '../atomic-file';
import { createSealer, makeKey } from '../sealing';
import { CommandError, EXIT_CODES } from './command-error';
import type { Output } from './output';

export interface KeysOptions {
  file: string;
  /** Puts a new key before those in the file, which still open what they sealed. */
  rotate: boolean;
}

/**
 * Writes the JWK set that seals tokens. A new file has mode 0600; an existing one keeps its owner and mode, and is
 * written where a symbolic link leads, so that the workers can still read it.
 *
 * @throws CommandError
 */
export async function makeKeys({ file, rotate }: KeysOptions, output: Output): Promise<void> {
  if (await isFolder(file)) {
    throw new CommandError(
      `${file} is a folder: name a file in it, such as ${path.join(file, 'sealing-keys.json')}`,
      EXIT_CODES.usage,
    );
  }
  const exists = await isThere(file);
  if (exists && !rotate) {
    throw new CommandError(`${file} exists: add --rotate to put a new key before its keys`, EXIT_CODES.usage);
  }
  const former = exists ? await readKeySet(file) : null;
  const earlier = former?.keys ?? [];
  const key = makeKey(new Date());
  const text = `${JSON.stringify({ keys: [key, ...earlier] }, null, 2)}\n`;
  try {
    await writeFileAtomically(former?.realFile ?? file, text, former?.ownership);
  } catch (error) {
    throw new CommandError(
      `${file} cannot be written (${codeOf(error)}): name a file in a folder that you can write to, or run this as its owner`,
    );
  }
  const mode = ((former?.ownership.mode ?? 0o600) & 0o777).toString(8).padStart(4, '0');
  output.outcome(
    { file, kid: key.kid, keys: earlier.length + 1 },
    `wrote ${file} (mode ${mode}): key ${key.kid} seals, ${earlier.length + 1} key(s) open; name the file under sealing.keys and restart the workers`,
  );
}

/** Follows no symbolic link: one that leads nowhere is there too. */
function isThere(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  );
}

function isFolder(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function readKeySet(file: string) {
  let text: string;
  let realFile: string;
  try {
    realFile = await realpath(file);
    text = await readFile(realFile, 'utf8');
  } catch (error) {
    throw new CommandError(
      `${file} cannot be read (${codeOf(error)}): correct its path, or run this as its owner`,
    );
  }
  createSealer(() => text);
  return {
    realFile,
    ownership: await stat(realFile),
    keys: (JSON.parse(text) as { keys: unknown[] }).keys,
  };
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}
