import { lstat, open, readFile, realpath, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { errnoOf, writeFileAtomically } from '../files';
import { createSealer, makeKey } from '../sealing';
import { CommandError, EXIT_CODES } from './cli/command-error';
import type { Output } from './cli/output';

/**
 * Writes the JWK set that seals tokens. A new file has mode 0600; an existing one keeps its owner and mode, and is
 * written where a symbolic link leads, so that the workers can still read it.
 *
 * @param options `rotate` puts a new key before those in the file, which must exist and still open what they sealed.
 * @throws CommandError
 */
export async function makeKeys(
  { file, rotate }: { file: string; rotate: boolean },
  output: Output,
): Promise<void> {
  if ((await stat(file).catch(absent))?.isDirectory()) {
    throw new CommandError(
      `${file} is a folder: name a file in it, such as ${path.join(file, 'sealing-keys.json')}`,
      EXIT_CODES.usage,
    );
  }
  await requireExistence(file, rotate);
  // A link and its target are one key set.
  const unlock = await lock(rotate ? await realpath(file).catch(() => file) : file);
  try {
    // Another command may have made it meanwhile.
    await requireExistence(file, rotate);
    await writeKeySet(file, rotate ? await readKeySet(file) : null, output);
  } finally {
    await unlock();
  }
}

const absent = () => null;

async function requireExistence(file: string, expected: boolean): Promise<void> {
  // A symbolic link that leads nowhere exists, too.
  const exists = (await lstat(file).catch(absent)) !== null;
  if (exists && !expected) {
    throw new CommandError(`${file} exists: add --rotate to put a new key before its keys`, EXIT_CODES.usage);
  }
  // A new set in its place would open no token that is sealed already.
  if (!exists && expected) {
    throw new CommandError(
      `${file} does not exist: correct its path, or leave out --rotate to make the first key`,
      EXIT_CODES.usage,
    );
  }
}

/** Of two that rotate at once, one would lose its key, and with it every token that is sealed by then. */
async function lock(file: string): Promise<() => Promise<void>> {
  const lockFile = `${file}.lock`;
  try {
    await (await open(lockFile, 'wx')).close();
  } catch (error) {
    throw new CommandError(
      errnoOf(error) === 'EEXIST'
        ? `${lockFile} exists: another command writes these keys now, or was killed as it did; remove it if none does`
        : cannotWrite(file, error),
    );
  }
  return () => rm(lockFile, { force: true });
}

type KeySet = Awaited<ReturnType<typeof readKeySet>>;

async function writeKeySet(file: string, former: KeySet | null, output: Output): Promise<void> {
  const earlier = former?.keys ?? [];
  const key = makeKey(new Date());
  const text = `${JSON.stringify({ keys: [key, ...earlier] }, null, 2)}\n`;
  try {
    await writeFileAtomically(former?.realFile ?? file, text, former?.ownership);
  } catch (error) {
    throw new CommandError(cannotWrite(file, error));
  }
  const mode = ((former?.ownership.mode ?? 0o600) & 0o777).toString(8).padStart(4, '0');
  const next = former
    ? 'give the file to every worker, then restart them one at a time'
    : 'give the file to every worker, and name it under sealing.keys';
  output.print(
    { file, kid: key.kid, keys: earlier.length + 1 },
    `wrote ${file} (mode ${mode}): key ${key.kid} seals, ${earlier.length + 1} key(s) open; ${next}`,
  );
}

function cannotWrite(file: string, error: unknown): string {
  return `${file} cannot be written (${errnoOf(error)}): name a file in a folder that you can write to, or run this as its owner`;
}

async function readKeySet(file: string) {
  const unreadable = (error: unknown) => {
    throw new CommandError(
      `${file} cannot be read (${errnoOf(error)}): correct its path, or run this as its owner`,
    );
  };
  const realFile = await realpath(file).catch(unreadable);
  const text = await readFile(realFile, 'utf8').catch(unreadable);
  try {
    createSealer(() => text);
  } catch {
    throw new CommandError(
      `${file} is not a JWK set of 256-bit keys, and may be damaged: restore it from the workers, since only its keys open the tokens that are sealed with them`,
    );
  }
  const { keys } = JSON.parse(text) as { keys: unknown[] };
  return { realFile, ownership: await stat(realFile), keys };
}
