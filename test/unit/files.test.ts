import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { writeFileAtomically } from '../../src/files';
import { temporaryFolder } from './temporary-folder';

const fileIn = temporaryFolder();

it('a file is replaced by one for its owner alone, and no temporary file stays', async () => {
  const file = fileIn('file');
  writeFileSync(file, 'former', { mode: 0o644 });
  await writeFileAtomically(file, 'new');
  expect([readFileSync(file, 'utf8'), statSync(file).mode & 0o777]).toEqual(['new', 0o600]);
  expect(readdirSync(fileIn())).toEqual(['file']);
});

it('no temporary file stays after a file could not be replaced', async () => {
  const folder = fileIn('folder');
  mkdirSync(folder);
  await expect(writeFileAtomically(folder, 'new')).rejects.toThrow(/EISDIR/);
  expect(readdirSync(fileIn())).toEqual(['folder']);
});
