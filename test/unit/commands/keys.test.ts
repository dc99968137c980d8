import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createSealer } from '../../../src/secrets/sealing';
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
    expect(stdout).toContain(`key ${keyIds()[0]} seals, 2 keys can open`);
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
