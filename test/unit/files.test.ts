import { chownSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { writeFileAtomically } from '../../src/files';
import { temporaryFolder } from './temporary-folder';

const fileIn = temporaryFolder();
let file: string;
beforeEach(() => void (file = fileIn('file')));

describe('writeFileAtomically', () => {
  it('makes a file for its owner alone, whatever the umask', async () => {
    const umask = process.umask(0);
    try {
      await writeFileAtomically(file, 'new');
    } finally {
      process.umask(umask);
    }
    expect(readFileSync(file, 'utf8')).toBe('new');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(fileIn())).toEqual(['file']);
  });

  it.each([0o644, 0o660, 0o400])('takes over mode %i where it is given one', async (mode) => {
    writeFileSync(file, 'former');
    const { uid, gid } = statSync(file);
    await writeFileAtomically(file, 'new', { mode, uid, gid });
    expect(readFileSync(file, 'utf8')).toBe('new');
    expect(statSync(file).mode & 0o777).toBe(mode);
  });

  (process.getuid?.() === 0 ? it : it.skip)('takes over the owner where it is given one', async () => {
    writeFileSync(file, 'former');
    chownSync(file, 1234, 5678);
    await writeFileAtomically(file, 'new', statSync(file));
    expect(statSync(file)).toMatchObject({ uid: 1234, gid: 5678 });
  });

  it('leaves no temporary file when it fails', async () => {
    mkdirSync(file);
    await expect(writeFileAtomically(file, 'new')).rejects.toThrow(/EISDIR/);
    expect(readdirSync(fileIn())).toEqual(['file']);
  });

  it('fails where the folder is missing', async () => {
    await expect(writeFileAtomically(fileIn('missing/file'), 'new')).rejects.toThrow(/ENOENT/);
  });
});
