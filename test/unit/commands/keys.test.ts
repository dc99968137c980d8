import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createProgram } from '../../../src/commands/program';
import { createSealer } from '../../../src/sealing';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-keys-'));
  file = path.join(folder, 'sealing-keys.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** No output may hold a key. */
async function keys(...args: string[]) {
  const output = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof output) => ({ write: (text: string) => (output[name] += text) });
  const program = createProgram({ env: {}, stdout: stream('stdout'), stderr: stream('stderr') });
  const exit = { code: await program.run(['keys', ...args]), ...output };
  const text = existsSync(file) && statSync(file).isFile() ? readFileSync(file, 'utf8') : '';
  for (const [, k] of text.matchAll(/"k": "([^"]+)"/g)) {
    expect(exit.stdout + exit.stderr).not.toContain(k);
  }
  return exit;
}

const keyIds = () => createSealer(() => readFileSync(file, 'utf8')).keyIds();
const isRoot = process.getuid?.() === 0;
const modeOf = (name: string) => statSync(name).mode & 0o777;

describe('keys', () => {
  it('writes a key that seals, for its owner alone, and nothing else', async () => {
    const exit = await keys('--json', '--file', file);
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(exit.stdout)).toEqual({ file, kid: keyIds()[0], keys: 1 });
    expect(modeOf(file)).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['sealing-keys.json']);
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
    expect(modeOf(file)).toBe(0o600);
    expect(stdout).toContain(`key ${keyIds()[0]} seals, 2 key(s) open`);
  });

  it('--rotate keeps the mode of the file, and says which it is', async () => {
    await keys('--file', file);
    chmodSync(file, 0o640);
    const { stdout } = await keys('--file', file, '--rotate');
    expect(modeOf(file)).toBe(0o640);
    expect(stdout).toContain('(mode 0640)');
  });

  (isRoot ? it : it.skip)('--rotate keeps the owner of the file', async () => {
    await keys('--file', file);
    chownSync(file, 1234, 5678);
    await keys('--file', file, '--rotate');
    expect(statSync(file)).toMatchObject({ uid: 1234, gid: 5678 });
    expect(keyIds()).toHaveLength(2);
  });

  (isRoot ? it : it.skip)('--rotate changes nothing when it cannot keep the owner', async () => {
    await keys('--file', file);
    chmodSync(file, 0o644);
    chmodSync(folder, 0o777);
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
    expect(readdirSync(folder)).toEqual(['sealing-keys.json']);
  });

  it('--rotate follows symbolic links, and leaves them', async () => {
    await keys('--file', file);
    const link = path.join(folder, 'link');
    symlinkSync('sealing-keys.json', link);
    await keys('--file', link, '--rotate');
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(keyIds()).toHaveLength(2);
    expect(readdirSync(folder).sort()).toEqual(['link', 'sealing-keys.json']);
  });

  it.each([[], ['--rotate']])('names a folder as the mistake %j', async (...options) => {
    const { code, stderr } = await keys('--file', folder, ...options);
    expect(code).toBe(2);
    expect(stderr).toContain(`${folder} is a folder: name a file in it, such as ${file}`);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('does not replace a symbolic link to nothing', async () => {
    symlinkSync(path.join(folder, 'nothing'), file);
    expect((await keys('--file', file)).code).toBe(2);
    const { code, stderr } = await keys('--file', file, '--rotate');
    expect(code).toBe(1);
    expect(stderr).toContain(`${file} cannot be read (ENOENT)`);
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
  });

  it.each([
    ['a file without keys', () => writeFileSync(file, '{"keys": [{"k": "CANARY"}]}'), 'not a JWK set'],
    ['a file that is not JSON', () => writeFileSync(file, 'CANARY'), 'not JSON'],
    ['a folder that is not there', () => rmSync(folder, { recursive: true }), 'cannot be written (ENOENT)'],
  ])('%s cannot be rotated into, and stays as it is', async (_what, prepare, words) => {
    prepare();
    const { code, stderr } = await keys('--file', file, '--rotate');
    expect(code).toBe(1);
    expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/CANARY|\n\s+at /);
  });
});
