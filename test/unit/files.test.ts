import { chmodSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { writeFileAtomically } from '../../src/files';
import { temporaryFolder } from './temporary-folder';

const fileIn = temporaryFolder();
let file: string;
beforeEach(() => void (file = fileIn('file')));

describe('writeFileAtomically', () => {
  it('replaces a file by one for its owner alone, under any umask', async () => {
    writeFileSync(file, 'former');
    chmodSync(file, 0o644);
    const umask = process.umask(0);
    await writeFileAtomically(file, 'new').finally(() => process.umask(umask));
    expect(readFileSync(file, 'utf8')).toBe('new');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(fileIn())).toEqual(['file']);
  });

  it('leaves no temporary file when it fails', async () => {
    mkdirSync(file);
    await expect(writeFileAtomically(file, 'new')).rejects.toThrow(/EISDIR/);
    expect(readdirSync(fileIn())).toEqual(['file']);
  });
});
