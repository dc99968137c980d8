import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { writeFileAtomically } from '../../src/files';
import { temporaryFolder } from './temporary-folder';

const fileIn = temporaryFolder();

it('a file is replaced by one for its owner alone, and no temporary file stays, even after a failure', async () => {
  const [file, folder] = [fileIn('file'), fileIn('folder')];
  writeFileSync(file, 'former', { mode: 0o644 });
  await writeFileAtomically(file, 'new');
  expect([readFileSync(file, 'utf8'), statSync(file).mode & 0o777]).toEqual(['new', 0o600]);
  mkdirSync(folder);
  await expect(writeFileAtomically(folder, 'new')).rejects.toThrow(/EISDIR/);
  expect(readdirSync(fileIn())).toEqual(['file', 'folder']);
});
