import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { SecretUnavailableError, secretReference } from '../../../src/secrets/references';
import { temporaryFolder } from '../temporary-folder';

const CANARY = 'CANARY-6f0c';

const fileIn = temporaryFolder();

function refer(reference: unknown, env: Record<string, string> = {}) {
  const warnings: string[] = [];
  const context = { env, baseDirectory: fileIn(), warn: (message: string) => warnings.push(message) };
  const parsed = secretReference(context).safeParse(reference);
  return { secret: parsed.data, problems: parsed.error?.issues.map(({ message }) => message), warnings };
}

function fileOf(content: string, mode = 0o600): string {
  writeFileSync(fileIn('secret'), content);
  chmodSync(fileIn('secret'), mode);
  return fileIn('secret');
}

describe('a reference to a secret', () => {
  it('reads a variable of the environment', () => {
    const { secret } = refer({ env: 'MY_SECRET' }, { MY_SECRET: CANARY });
    expect(secret?.read()).toBe(CANARY);
    expect(secret?.source).toBe('environment variable MY_SECRET');
  });

  it('reads a file again each time, and throws what names the file once it is gone', () => {
    const file = fileOf('before');
    const { secret } = refer({ file });
    expect(secret?.read()).toBe('before');
    fileOf('after');
    expect(secret?.read()).toBe('after');
    rmSync(file);
    expect(() => secret?.read()).toThrow(SecretUnavailableError);
    expect(() => secret?.read()).toThrow(`file ${file} cannot be read (ENOENT)`);
  });

  it('reads a file below the base directory, without its last line end', () => {
    for (const lineEnd of ['\n', '\r\n']) {
      fileOf(`${CANARY}\n${lineEnd}`);
      expect(refer({ file: 'secret' }).secret?.read()).toBe(`${CANARY}\n`);
    }
  });

  it('to a file that others can read warns, not to one that its group can read', () => {
    for (const mode of [0o604, 0o602, 0o601]) {
      const file = fileOf(CANARY, mode);
      expect(refer({ file }).warnings).toEqual([`file ${file} can be read by others: run chmod o= on it`]);
    }
    expect(refer({ file: fileOf(CANARY, 0o640) }).warnings).toEqual([]);
  });

  it.each([
    ['an unset variable', { env: 'NOPE' }, /environment variable NOPE is not set/],
    ['an empty variable', { env: 'EMPTY' }, /environment variable EMPTY is not set or empty/],
    ['a missing file', { file: 'nope' }, /nope cannot be read \(ENOENT\)/],
    ['an empty file', { file: 'empty' }, /empty is empty/],
  ])('to %s is a problem', (_what, reference, problem) => {
    writeFileSync(fileIn('empty'), '\n');
    expect(refer(reference, { EMPTY: '' }).problems).toEqual([expect.stringMatching(problem)]);
  });

  it.each([
    ['the secret itself', CANARY],
    ['the secret as a name', { env: CANARY }],
    ['a client secret as a name', { env: 'mdb_sa_sk_CANARY' }],
    ['a reference and the secret', { env: 'NAME', value: CANARY }],
    ['nothing', undefined],
  ])('that is %s is refused and not quoted', (_what, reference) => {
    expect(refer(reference, { NAME: 'x' }).problems).toEqual([
      'is not a reference to a secret: write {env: NAME} or {file: PATH}, never the secret',
    ]);
  });
});
