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
  const temporary = `${file}.tmp`;
  const descriptor = openSync(temporary, 'wx', 0o600);
  writeSync(descriptor, `${JSON.stringify({ keys: [key, ...earlier] }, null, 2)}\n`);
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(temporary, file);
  output.outcome(
    { file, kid: key.kid, keys: earlier.length + 1 },
    `wrote ${file} (mode 0600): key ${key.kid} seals, ${earlier.length + 1} key(s) open; name it under sealing.keys and restart the workers`,
  );
}

function readKeys(file: string): unknown[] {
  const text = readFileSync(file, 'utf8');
  createSealer(text);
  return (JSON.parse(text) as { keys: unknown[] }).keys;
}
