import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeFileAtomically } from '../../src/atomic-file';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'atomic-file-'));
  file = path.join(folder, 'file');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

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
    expect(readdirSync(folder)).toEqual(['file']);
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
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('fails where the folder is missing', async () => {
    await expect(writeFileAtomically(path.join(folder, 'missing', 'file'), 'new')).rejects.toThrow(/ENOENT/);
  });
});
