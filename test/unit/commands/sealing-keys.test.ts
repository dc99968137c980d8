import {
  existsSync,
  lstatSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createSealer } from '../../../src/secrets/sealing';
import { run } from '../../support/run-command';
import { temporaryFolder } from '../temporary-folder';

const fileIn = temporaryFolder();
let file: string;
beforeEach(() => void (file = fileIn('sealing-keys.json')));

/** Runs `sealing-keys` on the file. No output may hold a key. */
async function keys(...args: string[]) {
  const exit = await run(['sealing-keys', '--file', file, ...args]);
  if (exit.code !== 0) return exit;
  const keySet = JSON.parse(readFileSync(file, 'utf8')) as { keys: { k: string }[] };
  expect(keySet.keys).not.toEqual([]);
  for (const { k } of keySet.keys) expect(exit.stdout + exit.stderr).not.toContain(k);
  return exit;
}

const keyIds = () => createSealer(() => readFileSync(file, 'utf8')).keyIds();
const mode = () => statSync(file).mode & 0o777;

describe('sealing-keys', () => {
  it('writes one key that seals, for its owner alone', async () => {
    const { stdout, ...exit } = await keys('--json');
    expect(exit).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ file, kid: keyIds()[0], keys: 1 });
    expect(mode()).toBe(0o600);
  });

  it('--rotate puts a new key before the others', async () => {
    await keys();
    const before = keyIds();
    const { code, stdout } = await keys('--rotate');
    expect(code).toBe(0);
    expect(keyIds()).toEqual([expect.not.stringMatching(`^${before[0]}$`), ...before]);
    expect(mode()).toBe(0o600);
    expect(stdout).toContain(`key ${keyIds()[0]} seals, 2 keys can open`);
    expect(readdirSync(fileIn())).toEqual(['sealing-keys.json']);
  });

  it('--rotate of a symbolic link adds the key to its target', async () => {
    await keys();
    const target = file;
    file = fileIn('link.json');
    symlinkSync(target, file);
    expect(await keys('--rotate')).toMatchObject({ code: 0 });
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    expect(createSealer(() => readFileSync(target, 'utf8')).keyIds()).toHaveLength(2);
  });

  const CUT_OFF = '{"keys": [{"k": "CANARY';
  const NOT_KEYS = 'is not a JWK set of 256-bit keys, and may be damaged: restore it';
  it.each<[what: string, text: string | null, options: string[], code: number, problem: string]>([
    [
      'without --rotate refuses an existing file, and leaves it as it is',
      'mine',
      [],
      2,
      'exists: add --rotate',
    ],
    [
      '--rotate refuses a file that is not JSON, and leaves it as it is',
      CUT_OFF,
      ['--rotate'],
      1,
      NOT_KEYS,
    ],
    [
      '--rotate refuses a missing file, and creates none',
      null,
      ['--rotate'],
      2,
      'does not exist: correct its path',
    ],
  ])('%s', async (_what, text, options, code, problem) => {
    if (text !== null) writeFileSync(file, text);
    const { stderr, ...exit } = await keys(...options);
    expect(exit.code).toBe(code);
    expect(stderr).toContain(`${file} ${problem}`);
    expect(stderr).not.toMatch(/CANARY|\n\s+at /);
    expect(existsSync(file) ? readFileSync(file, 'utf8') : null).toBe(text);
  });
});
