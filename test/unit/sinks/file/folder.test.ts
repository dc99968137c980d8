import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { checkFolder, storeToken } from '../../../../src/sinks/file/folder';
import { SinkRejectedError, SinkUnavailableError } from '../../../../src/sinks/sink';
import { newOrgId } from '../../../support/ids';
import { temporaryFolder } from '../../temporary-folder';

const NOBODY = 65_534;

const fileIn = temporaryFolder();
let directory: string;
beforeEach(() => {
  directory = fileIn('tokens');
  mkdirSync(directory);
});

const newName = () => `${newOrgId()}.${newOrgId()}.${randomUUID()}.link-token`;

it('a token is written once, to a file that only its owner can read', async () => {
  const file = path.join(directory, newName());
  await storeToken(file, 'canary');
  const { mode, ino, mtimeMs } = statSync(file);
  expect(mode & 0o777).toBe(0o600);
  await storeToken(file, 'canary');
  expect(statSync(file)).toMatchObject({ ino, mtimeMs });
  expect(readdirSync(directory)).toEqual([path.basename(file)]);
});

it('a reader sees the whole token or no file, however many attempts write at once', async () => {
  const [name, token] = [newName(), 'x'.repeat(100_000)];
  const seen = new Set<number>();
  const look = () => {
    for (const name of readdirSync(directory).filter((entry) => entry.endsWith('.link-token'))) {
      seen.add(readFileSync(path.join(directory, name), 'utf8').length);
    }
  };
  const looking = setInterval(look);
  await Promise.all(
    Array.from({ length: 40 }, () => storeToken(path.join(directory, name), token)),
  );
  clearInterval(looking);
  look();
  expect([...seen]).toEqual([token.length]);
  expect(readdirSync(directory)).toEqual([name]);
});

describe('storing a token removes temporary files of killed attempts', () => {
  const UNIQUE = '0b7e9c1e-8f0e-4a55-9b39-0d1f6b1f3f59.tmp';
  const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
  const leave = (name: string, modified = minutesAgo(61)) => {
    writeFileSync(path.join(directory, name), 'canary-half-a-tok');
    utimesSync(path.join(directory, name), modified, modified);
    return name;
  };
  const leaveOld = () => leave(`${newName()}.${UNIQUE}`);

  it('of any token after an hour, at most once a minute', async () => {
    const name = newName();
    const keptFiles = ['notes.tmp', 'a.link-token.tmp', `${newOrgId()}.tmp`].map((other) =>
      leave(other),
    );
    keptFiles.push(leave(`${name}.${UNIQUE}`, minutesAgo(59)));
    leave(`${name}.1${UNIQUE.slice(1)}`);
    leaveOld();
    const store = () => storeToken(path.join(directory, name), 'canary');
    await store();
    expect(readdirSync(directory).sort()).toEqual([name, ...keptFiles].sort());
    // To list a large directory takes long.
    const later = leaveOld();
    await store();
    expect(readdirSync(directory)).toContain(later);
  });

  it('but none of the last hour, even if the clock is an hour fast', async () => {
    const kept = leave(`${newName()}.${UNIQUE}`, minutesAgo(1));
    const expired = leaveOld();
    const now = Date.now;
    const fastClock = jest.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000);
    await storeToken(path.join(directory, newName()), 'canary');
    fastClock.mockRestore();
    expect(readdirSync(directory)).toContain(kept);
    expect(readdirSync(directory)).not.toContain(expired);
  });
});

it.each([
  [
    'a folder that is missing',
    'missing',
    SinkUnavailableError,
    /cannot be written \(ENOENT\): create it/,
  ],
  ['a path that is a file', 'a-file', SinkRejectedError, 'is not a directory: correct its path'],
  [
    'a link to itself',
    'a-loop',
    SinkUnavailableError,
    'cannot be written (ELOOP): check its file system',
  ],
])(
  'storing a token in %s fails, as its check does, with the remedy',
  async (_what, name, type, message) => {
    writeFileSync(fileIn('a-file'), '', { mode: 0o755 });
    symlinkSync('a-loop', fileIn('a-loop'));
    const folder = fileIn(name);
    for (const work of [
      () => storeToken(path.join(folder, newName()), 'canary'),
      () => checkFolder(folder),
    ]) {
      await expect(work).rejects.toThrow(type);
      await expect(work).rejects.toThrow(message);
    }
  },
);

it.each([
  ['0700', 'can be written (free space was not checked)'],
  ['1777', 'can be written (free space was not checked)'],
  [
    '0777',
    'can be written (free space was not checked); every user of the host can write to it too: run chmod o-w on it',
  ],
])('a check finds that a directory of mode %s %s', async (mode, finding) => {
  chmodSync(directory, mode);
  expect(await checkFolder(directory)).toBe(`directory ${directory} ${finding}`);
});

it('a check fails in a directory that can be written and not read', () => {
  chmodSync(path.dirname(directory), 0o711);
  chmodSync(directory, 0o300);
  // Root may read every directory.
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(directory, NOBODY, NOBODY);
  const program = `
    const { checkFolder } = require('./src/sinks/file/folder.ts');
    ${isRoot ? `process.setgid(${NOBODY}); process.setuid(${NOBODY});` : ''}
    checkFolder(${JSON.stringify(directory)}).then(console.log, ({ message }) => console.log(message));`;
  const result = execFileSync(process.execPath, ['--import', 'tsx', '-e', program], {
    encoding: 'utf8',
  });
  chmodSync(directory, 0o700);
  expect(result).toContain(
    `${directory} of the sink cannot be written (EACCES): grant the worker access`,
  );
});
