import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { SecretUnavailableError, secretReference, type Secret } from '../../src/secrets';

const CANARY = 'CANARY-6f0c';

let folder: string;
beforeEach(() => (folder = mkdtempSync(path.join(os.tmpdir(), 'secrets-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function refer(reference: unknown, env: Record<string, string> = {}) {
  const warnings: string[] = [];
  const context = { env, baseDirectory: folder, warn: (message: string) => warnings.push(message) };
  const parsed = secretReference(context).safeParse(reference);
  return { secret: parsed.data, problems: parsed.error?.issues.map(({ message }) => message), warnings };
}

function fileOf(content: string, mode = 0o600): string {
  const file = path.join(folder, 'secret');
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

const valueOf = (secret: Secret | undefined) => secret?.read();

describe('a reference to a secret', () => {
  it('reads a variable of the environment', () => {
    const { secret } = refer({ env: 'MY_SECRET' }, { MY_SECRET: CANARY });
    expect(valueOf(secret)).toBe(CANARY);
    expect(secret?.source).toBe('environment variable MY_SECRET');
  });

  it.each([
    ['as it is', CANARY, CANARY],
    ['without its line end', `${CANARY}\n`, CANARY],
    ['without a line end of Windows', `${CANARY}\r\n`, CANARY],
    ['with all line ends but the last', `${CANARY}\n\n`, `${CANARY}\n`],
  ])('reads a file, %s', (_how, content, value) => {
    fileOf(content);
    expect(valueOf(refer({ file: 'secret' }).secret)).toBe(value);
  });

  it('reads a file by its whole path', () => {
    expect(valueOf(refer({ file: fileOf(CANARY) }).secret)).toBe(CANARY);
  });

  it('sees that a file was rotated', () => {
    fileOf('before');
    const { secret } = refer({ file: 'secret' });
    fileOf('after');
    expect(valueOf(secret)).toBe('after');
  });

  it('throws SecretUnavailableError, which names the file, once the file is gone', () => {
    const file = fileOf(CANARY);
    const { secret } = refer({ file: 'secret' });
    rmSync(file);
    expect(() => secret?.read()).toThrow(SecretUnavailableError);
    expect(() => secret?.read()).toThrow(`file ${file} cannot be read (ENOENT)`);
  });

  it.each([
    ['others', 0o604, true],
    ['the group', 0o640, false],
    ['the owner alone', 0o600, false],
  ])('to a file that %s can read warns: mode %o → %s', (_who, mode, warned) => {
    const file = fileOf(CANARY, mode);
    expect(refer({ file: 'secret' }).warnings).toEqual(
      warned ? [`file ${file} can be read by others: chmod o= it`] : [],
    );
  });

  it.each([
    ['an unset variable', { env: 'NOPE' }, /environment variable NOPE is not set/],
    ['an empty variable', { env: 'EMPTY' }, /environment variable EMPTY is not set or empty/],
    ['a missing file', { file: 'nope' }, /nope cannot be read \(ENOENT\)/],
    ['an empty file', { file: 'empty' }, /empty is empty/],
    ['a folder', { file: '.' }, /cannot be read \(EISDIR\)/],
  ])('to %s is a problem', (_what, reference, words) => {
    writeFileSync(path.join(folder, 'empty'), '\n');
    expect(refer(reference, { EMPTY: '' }).problems).toEqual([expect.stringMatching(words)]);
  });

  it.each([
    ['the secret itself', CANARY],
    ['the secret as a name', { env: CANARY }],
    ['a reference and the secret', { env: 'NAME', value: CANARY }],
    ['both kinds', { env: 'NAME', file: CANARY }],
    ['a list', [CANARY]],
    ['nothing', undefined],
    ['null', null],
    ['a number', 5],
    ['an empty name', { env: '' }],
  ])('that is %s is refused and not quoted', (_what, reference) => {
    expect(refer(reference, { NAME: 'x' }).problems).toEqual([
      'is not a reference to a secret: write {env: NAME} or {file: PATH}, never the secret',
    ]);
  });
});
