import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/**
 * Creates a folder for each test. Returns the path of a file in it, and without a name that of the
 * folder.
 */
export function temporaryFolder(): (name?: string) => string {
  let folder = '';
  beforeEach(() => void (folder = mkdtempSync(path.join(os.tmpdir(), 'lmp-unit-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  return (name = '') => path.join(folder, name);
}

/** Writes files in the folder of each test. */
export function temporaryFiles() {
  const fileIn = temporaryFolder();
  const write = (name: string, content: string | Buffer, mode = 0o600): string => {
    writeFileSync(fileIn(name), content);
    chmodSync(fileIn(name), mode);
    return fileIn(name);
  };
  return { fileIn, write };
}
