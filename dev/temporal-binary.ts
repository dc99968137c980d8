import { readFileSync } from 'node:fs';
import path from 'node:path';

/** The path of a server that dev/setup.mjs found or installed. */
export function temporalBinary(id: 'temporal-cli' | 'temporal-test-server'): string {
  try {
    const record = readFileSync(path.join(__dirname, '..', '.cache', `${id}.json`), 'utf8');
    return (JSON.parse(record) as { path: string }).path;
  } catch {
    throw new Error(`${id} is not set up: run "node dev/setup.mjs --tests"`);
  }
}
