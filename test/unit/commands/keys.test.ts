import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createSealer } from '../../../src/sealing';
import { run } from '../../support/run-command';
import { temporaryFolder } from '../temporary-folder';

const fileIn = temporaryFolder();
let file: string;
beforeEach(() => void (file = fileIn('sealing-keys.json')));

/** No output may hold a key. */
async function keys(...args: string[]) {
  const exit = await run(['keys', ...args]);
  const text = existsSync(file) && statSync(file).isFile() ? readFileSync(file, 'utf8') : '';
  for (const [, k] of text.matchAll(/"k": "([^"]+)"/g)) expect(exit.stdout + exit.stderr).not.toContain(k);
  return exit;
}

const keyIds = () => createSealer(() => readFileSync(file, 'utf8')).keyIds();
const isRoot = process.getuid?.() === 0;
const mode = () => statSync(file).mode & 0o777;

describe('keys', () => {
  it('writes a key that seals, for its owner alone, and nothing else', async () => {
    const exit = await keys('--json', '--file', file);
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(exit.stdout)).toEqual({ file, kid: keyIds()[0], keys: 1 });
    expect(mode()).toBe(0o600);
    expect(readdirSync(fileIn())).toEqual(['sealing-keys.json']);
  });

  it('does not overwrite a file, and names --rotate', async () => {
    writeFileSync(file, 'mine');
    const { code, stderr } = await keys('--file', file);
    expect(code).toBe(2);
    expect(stderr).toContain(`${file} exists: add --rotate`);
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  it('with --rotate puts a new key before those that are there', async () => {
    await keys('--file', file);
    const before = keyIds();
    const { code, stdout } = await keys('--file', file, '--rotate');
    expect(code).toBe(0);
    expect(keyIds()).toEqual([expect.any(String), ...before]);
    expect(keyIds()[0]).not.toBe(before[0]);
    expect(mode()).toBe(0o600);
    expect(stdout).toContain(`key ${keyIds()[0]} seals, 2 key(s) open`);
  });

  it('loses no key when several rotate at once: one does, or the others say why not', async () => {
    await keys('--file', file);
    symlinkSync('sealing-keys.json', fileIn('link'));
    const names = [file, fileIn('link')];
    const exits = await Promise.all(
      [...names, ...names, ...names].map((name) => run(['keys', '--file', name, '--rotate'])),
    );
    const rotated = exits.filter(({ code }) => code === 0);
    expect(keyIds()).toHaveLength(1 + rotated.length);
    for (const { code, stderr } of exits)
      if (code !== 0)
        expect([code, stderr]).toEqual([1, expect.stringContaining('sealing-keys.json.lock exists: ')]);
    expect(rotated).not.toEqual([]);
    expect(readdirSync(fileIn()).sort()).toEqual(['link', 'sealing-keys.json']);
  });

  it('makes one key set when several make it at once', async () => {
    const exits = await Promise.all(Array.from({ length: 6 }, () => run(['keys', '--file', file])));
    expect(exits.filter(({ code }) => code === 0)).toHaveLength(1);
  });

  it('--rotate keeps the mode and the owner of the file, and says which mode it is', async () => {
    await keys('--file', file);
    chmodSync(file, 0o640);
    if (isRoot) chownSync(file, 1234, 5678);
    const before = statSync(file);
    const { stdout } = await keys('--file', file, '--rotate');
    expect(statSync(file)).toMatchObject({ mode: before.mode, uid: before.uid, gid: before.gid });
    expect(stdout).toContain('(mode 0640)');
    expect(keyIds()).toHaveLength(2);
  });

  (isRoot ? it : it.skip)('--rotate changes nothing when it cannot keep the owner', async () => {
    await keys('--file', file);
    chmodSync(file, 0o644);
    chmodSync(fileIn(), 0o777);
    const before = readFileSync(file, 'utf8');
    process.seteuid?.('nobody');
    try {
      const { code, stderr } = await keys('--file', file, '--rotate');
      expect(code).toBe(1);
      expect(stderr).toMatch(/cannot be written \(EPERM\): .*as its owner/);
    } finally {
      process.seteuid?.(0);
    }
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect(readdirSync(fileIn())).toEqual(['sealing-keys.json']);
  });

  it('--rotate follows symbolic links, and leaves them', async () => {
    await keys('--file', file);
    const link = fileIn('link');
    symlinkSync('sealing-keys.json', link);
    await keys('--file', link, '--rotate');
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(keyIds()).toHaveLength(2);
    expect(readdirSync(fileIn()).sort()).toEqual(['link', 'sealing-keys.json']);
  });

  it.each([[], ['--rotate']])('names a folder as the mistake %j', async (...options) => {
    const { code, stderr } = await keys('--file', fileIn(), ...options);
    expect(code).toBe(2);
    expect(stderr).toContain(`${fileIn()} is a folder: name a file in it, such as ${file}`);
    expect(readdirSync(fileIn())).toEqual([]);
  });

  it('does not replace a symbolic link to nothing', async () => {
    symlinkSync(fileIn('nothing'), file);
    expect((await keys('--file', file)).code).toBe(2);
    const { code, stderr } = await keys('--file', file, '--rotate');
    expect(code).toBe(1);
    expect(stderr).toContain(`${file} cannot be read (ENOENT)`);
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
  });

  it.each([
    ['without keys', '{"keys": [{"k": "CANARY"}]}'],
    ['that is not JSON', '{"keys": [{"k": "CANARY'],
  ])('does not rotate a file %s, and leaves it as it is', async (_what, text) => {
    writeFileSync(file, text);
    const { code, stderr } = await keys('--file', file, '--rotate');
    expect(code).toBe(1);
    expect(stderr).toContain(`${file} is not a JWK set of 256-bit keys, and may be damaged: restore it`);
    expect(stderr).not.toMatch(/CANARY|\n\s+at /);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it('does not rotate a file that does not exist: its keys may be elsewhere', async () => {
    const { code, stderr } = await keys('--file', file, '--rotate');
    expect(code).toBe(2);
    expect(stderr).toContain(`${file} does not exist: correct its path, or leave out --rotate`);
    expect(existsSync(file)).toBe(false);
  });

  it('says when it cannot write', async () => {
    rmSync(fileIn(), { recursive: true });
    const { code, stderr } = await keys('--file', file);
    expect(code).toBe(1);
    expect(stderr).toContain(`${file} cannot be written (ENOENT)`);
  });
});
