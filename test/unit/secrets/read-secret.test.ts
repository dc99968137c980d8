import { rmSync } from 'node:fs';
import * as references from '../../../src/secrets/read-secret';
import { CANARY, fileIn, write, type Env } from '../config/configuration';

function refer(reference: unknown, env: Env = {}) {
  const warnings: string[] = [];
  const context = {
    env,
    baseDirectory: fileIn(),
    warn: (message: string) => warnings.push(message),
  };
  const parsed = references.secretReference(context, () => null).safeParse(reference);
  return {
    secret: parsed.data,
    problems: parsed.error?.issues.map(({ message }) => message),
    warnings,
  };
}

describe('a reference to a secret', () => {
  it('reads its file each time, and fails with its path once it is gone', () => {
    const file = write('secret', 'before');
    const { secret } = refer({ file });
    expect(secret?.read()).toBe('before');
    write('secret', 'after');
    expect(secret?.read()).toBe('after');
    rmSync(file);
    expect(() => secret?.read()).toThrow(references.SecretUnavailableError);
    expect(() => secret?.read()).toThrow(`file ${file} cannot be read (ENOENT)`);
  });

  it.each(['\n', '\r\n'])(
    'reads a file below the base directory, without its last line end %j',
    (lineEnd) => {
      write('secret', `${CANARY}\n${lineEnd}`);
      expect(refer({ file: 'secret' }).secret?.read()).toBe(`${CANARY}\n`);
    },
  );

  it('warns only of a file that users outside its group can access', () => {
    for (const mode of [0o604, 0o602, 0o601]) {
      const file = write('secret', CANARY, mode);
      expect(refer({ file }).warnings).toEqual([
        `every user of the host can access file ${file}: run chmod o= on it`,
      ]);
    }
    expect(refer({ file: write('secret', CANARY, 0o640) }).warnings).toEqual([]);
  });

  it.each([
    ['missing', 'cannot be read (ENOENT): correct its path, or permit the worker to read it'],
    ['empty', 'is empty: write the secret into it'],
  ])('in a file that is %s is refused', (file, problem) => {
    write('empty', '\n');
    expect(refer({ file }).problems).toEqual([`file ${fileIn(file)} ${problem}`]);
  });

  it.each([
    ['the secret itself', CANARY],
    ['the secret as a name', { env: CANARY }],
    ['the secret as a file', { file: 'secrets/mdb_sa_sk_CANARY' }],
    ['a token of Vault as a file', { file: 'hvs.CANARY' }],
    ['a token of OpenBao as a file', { file: 's.CANARYcanaryCANARYcanary' }],
    ['a client secret as a name', { env: 'mdb_sa_sk_CANARY' }],
    ['a reference and the secret', { env: 'NAME', value: CANARY }],
  ])('that is %s is refused and not quoted', (_what, reference) => {
    expect(refer(reference, { NAME: 'x' }).problems).toEqual([
      'is not a reference to a secret: write {env: NAME} or {file: PATH}, never the secret',
    ]);
  });
});

it.each(['abcdefgh', '12345678', '2c130c23-e6b6-4da8-a93f-a8bf33218830', 'jane.doe@example.com'])(
  'the id %s may be written as text, without a reference',
  (id) => {
    const context = { env: {}, baseDirectory: '/', warn: () => undefined };
    expect(references.textOrReference(context, references.headerFormat).parse(id).read()).toBe(id);
  },
);
