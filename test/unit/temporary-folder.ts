import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Makes a folder for each test. Returns the path of a file in it, and without a name that of the folder. */
export function temporaryFolder(): (name?: string) => string {
  let folder = '';
  beforeEach(() => void (folder = mkdtempSync(path.join(os.tmpdir(), 'lmp-unit-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  return (name = '') => path.join(folder, name);
}
