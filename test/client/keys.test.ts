import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createSealer } from '../../src/sealing';
import { CLIENT, objectIn } from '../support/command-line';
import { runProgram } from '../support/deployment';

jest.setTimeout(30_000);

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'live-migration-prep-keys-'));
  file = path.join(folder, 'sealing-keys.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** No output may hold a key. */
async function keys(...args: string[]) {
  const exit = await runProgram(CLIENT, ['keys', ...args], process.env);
  for (const name of readdirSync(folder)) {
    for (const [, k] of readFileSync(path.join(folder, name), 'utf8').matchAll(/"k": "([^"]+)"/g)) {
      expect(exit.stdout + exit.stderr).not.toContain(k);
    }
  }
  return exit;
}

const keyIds = () => createSealer(readFileSync(file, 'utf8')).keyIds;
const modeOf = (name: string) => statSync(name).mode & 0o777;

describe('keys', () => {
  it('writes a key that seals, for its owner alone, and nothing else', async () => {
    const exit = await keys('--json', '--file', file);
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    expect(objectIn(exit)).toEqual({ file, kid: keyIds()[0], keys: 1 });
    expect(modeOf(file)).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['sealing-keys.json']);
    await createSealer(readFileSync(file, 'utf8')).probe();
  });

  it('does not overwrite a file, and names --rotate', async () => {
    writeFileSync(file, 'mine');
    const { code, stderr } = await keys('--file', file);
    expect(code).toBe(2);
    expect(stderr).toContain(`${file} exists: say --rotate`);
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

  it.each([
    ['a file without keys', () => writeFileSync(file, '{"keys": [{"k": "CANARY"}]}'), 'not a JWK set'],
    ['a file that is not JSON', () => writeFileSync(file, 'CANARY'), 'not JSON'],
    ['a folder that is not there', () => rmSync(folder, { recursive: true }), 'cannot be written (ENOENT)'],
  ])('%s cannot be rotated into, and stays as it is', async (_what, prepare, words) => {
    prepare();
    const { code, stderr } = await runProgram(CLIENT, ['keys', '--file', file, '--rotate'], process.env);
    expect(code).toBe(1);
    expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/CANARY|\n\s+at /);
  });
});
