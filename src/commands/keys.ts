import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { createSealer, makeKey } from '../sealing';
import { CommandError, EXIT_CODES } from './command-error';
import type { Output } from './output';

export interface KeysOptions {
  file: string;
  /** Puts a new key before those the file has, which go on opening what they sealed. */
  rotate: boolean;
}

/** Makes the JWK set that seals tokens, in a file that only its owner can read. */
export function makeKeys({ file, rotate }: KeysOptions, output: Output): void {
  if (existsSync(file) && !rotate) {
    throw new CommandError(`${file} exists: say --rotate to put a new key before its keys`, EXIT_CODES.usage);
  }
  const key = makeKey(new Date());
  const earlier = existsSync(file) ? readKeys(file) : [];
  try {
    replaceFile(file, `${JSON.stringify({ keys: [key, ...earlier] }, null, 2)}\n`);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new CommandError(`${file} cannot be written (${code}): name a file in a folder of yours`);
  }
  output.outcome(
    { file, kid: key.kid, keys: earlier.length + 1 },
    `wrote ${file} (mode 0600): key ${key.kid} seals, ${earlier.length + 1} key(s) open; name it under sealing.keys and restart the workers`,
  );
}

/** Beside and renamed, so that a crash leaves the earlier keys. */
function replaceFile(file: string, text: string): void {
  const temporary = `${file}.${process.pid}.tmp`;
  const descriptor = openSync(temporary, 'wx', 0o600);
  writeSync(descriptor, text);
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(temporary, file);
}

function readKeys(file: string): unknown[] {
  const text = readFileSync(file, 'utf8');
  createSealer(text);
  return (JSON.parse(text) as { keys: unknown[] }).keys;
}
