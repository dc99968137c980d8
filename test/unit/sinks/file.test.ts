import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { SinkRejectedError, SinkUnavailableError, type Delivery } from '../../../src/sinks/sink';
import { newOrgId } from '../../support/ids';
import { makeSink, newDelivery } from '../../support/sinks';
import { temporaryFolder } from '../temporary-folder';

const fileIn = temporaryFolder();
let directory: string;
beforeEach(() => {
  directory = fileIn('tokens');
  mkdirSync(directory);
});

const sinkIn = (folder: string) => makeSink({ type: 'file', directory: folder });

const nameOf = ({ orgId, sourceOrgId, deliveryId }: Delivery) =>
  [orgId, sourceOrgId, deliveryId, 'link-token'].filter(Boolean).join('.');

it.each([newOrgId(), null])('writes the token once, for its owner alone: source %p', async (sourceOrgId) => {
  const delivery = newDelivery({ sourceOrgId });
  const { deliver } = await sinkIn(directory);
  await deliver(delivery);
  const file = path.join(directory, nameOf(delivery));
  const { mode, ino, mtimeMs } = statSync(file);
  expect(mode & 0o777).toBe(0o600);
  await deliver(delivery);
  expect(statSync(file)).toMatchObject({ ino, mtimeMs });
  expect(readdirSync(directory)).toEqual([nameOf(delivery)]);
});

it('shows a reader the whole token or no file, however many attempts write at once', async () => {
  const delivery = newDelivery({ token: 'x'.repeat(100_000) });
  const { deliver } = await sinkIn(directory);
  const seen = new Set<number>();
  const look = () => {
    for (const name of readdirSync(directory).filter((found) => found.endsWith('.link-token')))
      seen.add(readFileSync(path.join(directory, name), 'utf8').length);
  };
  const looking = setInterval(look);
  await Promise.all(Array.from({ length: 40 }, () => deliver(delivery)));
  clearInterval(looking);
  look();
  expect([...seen]).toEqual([delivery.token.length]);
  expect(readdirSync(directory)).toEqual([nameOf(delivery)]);
});

it('removes the old temporary files of killed attempts, of any token, once a minute', async () => {
  const UNIQUE = '0b7e9c1e-8f0e-4a55-9b39-0d1f6b1f3f59.tmp';
  const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
  const leave = (name: string, modified = minutesAgo(61)) => {
    writeFileSync(path.join(directory, name), 'canary-half-a-tok');
    utimesSync(path.join(directory, name), modified, modified);
    return name;
  };
  const leaveOld = () => leave(`${nameOf(newDelivery())}.${UNIQUE}`);
  const delivery = newDelivery();
  const name = nameOf(delivery);
  const kept = ['notes.tmp', 'a.link-token.tmp', `${newOrgId()}.tmp`].map((other) => leave(other));
  kept.push(leave(`${name}.${UNIQUE}`, minutesAgo(59)));
  leave(`${name}.1${UNIQUE.slice(1)}`);
  leaveOld();
  const { deliver } = await sinkIn(directory);
  await deliver(delivery);
  expect(readdirSync(directory).sort()).toEqual([name, ...kept].sort());
  // The directory may be long.
  const later = leaveOld();
  await deliver(delivery);
  expect(readdirSync(directory)).toContain(later);
});

it.each([
  ['missing', SinkUnavailableError, /cannot be written \(ENOENT\): create it/],
  ['file', SinkRejectedError, 'is not a directory: correct its path'],
])('says what is wrong with the directory %s, in a delivery and in a check', async (name, type, message) => {
  writeFileSync(fileIn('file'), '', { mode: 0o755 });
  const { deliver, check } = await sinkIn(fileIn(name));
  for (const work of [() => deliver(newDelivery()), () => check()]) {
    await expect(work).rejects.toThrow(type);
    await expect(work).rejects.toThrow(message);
  }
});

it.each([
  [0o700, 'can be written'],
  [0o1777, 'can be written'],
  [0o777, 'can be written, by every user of the host: chmod o-w it'],
])('a check finds that a directory of mode %o %s', async (mode, finding) => {
  chmodSync(directory, mode);
  const { check } = await sinkIn(directory);
  expect(await check()).toBe(`directory ${directory} ${finding}`);
});
