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
import { newDelivery } from '../../support/sinks/delivery';
import { makeDelivering, makeSink } from '../../support/sinks/make-sink';
import { temporaryFolder } from '../temporary-folder';

const fileIn = temporaryFolder();
let directory: string;
beforeEach(() => {
  directory = fileIn('tokens');
  mkdirSync(directory);
});

const deliver = async (delivery: Delivery, into = directory) =>
  (await makeDelivering({ type: 'file', directory: into }))(delivery);

const nameOf = ({ orgId, sourceOrgId, deliveryId }: Delivery) =>
  [orgId, sourceOrgId, deliveryId, 'link-token'].filter(Boolean).join('.');
const fileOf = (delivery: Delivery) => path.join(directory, nameOf(delivery));

it.each([newOrgId(), null])('writes the token once, for its owner alone: source %p', async (sourceOrgId) => {
  const delivery = newDelivery({ sourceOrgId });
  expect(await deliver(delivery)).toContain(nameOf(delivery));
  const { mode, ino, mtimeMs } = statSync(fileOf(delivery));
  expect(mode & 0o777).toBe(0o600);
  await deliver(delivery);
  expect(statSync(fileOf(delivery))).toMatchObject({ ino, mtimeMs });
  expect(readFileSync(fileOf(delivery), 'utf8')).toBe(delivery.token);
  expect(readdirSync(directory)).toEqual([nameOf(delivery)]);
});

it('shows a reader the whole token or no file, however many attempts write at once', async () => {
  const delivery = newDelivery({ token: 'x'.repeat(100_000) });
  const seen = new Set<number>();
  const attempts = Array.from({ length: 40 }, () => deliver(delivery));
  const read = setInterval(() => {
    for (const name of readdirSync(directory).filter((found) => found.endsWith('.link-token')))
      seen.add(readFileSync(path.join(directory, name), 'utf8').length);
  });
  await Promise.all(attempts).finally(() => clearInterval(read));
  seen.add(readFileSync(fileOf(delivery), 'utf8').length);
  expect([...seen]).toEqual([delivery.token.length]);
  expect(readdirSync(directory)).toEqual([nameOf(delivery)]);
});

it('removes the old temporary files of killed attempts, of any token, once a minute', async () => {
  const UNIQUE = '0b7e9c1e-8f0e-4a55-9b39-0d1f6b1f3f59.tmp';
  const hoursAgo = new Date(Date.now() - 3 * 3_600_000);
  const leave = (name: string, modified = hoursAgo) => {
    writeFileSync(path.join(directory, name), 'canary-half-a-tok');
    utimesSync(path.join(directory, name), modified, modified);
    return name;
  };
  const delivery = newDelivery();
  const name = nameOf(delivery);
  const fresh = leave(`${name}.${UNIQUE}`, new Date());
  const others = ['notes.tmp', 'a.link-token.tmp', `${newOrgId()}.tmp`].map((other) => leave(other));
  for (const old of [`${name}.1${UNIQUE.slice(1)}`, `${nameOf(newDelivery())}.${UNIQUE}`]) leave(old);
  const deliverThere = await makeDelivering({ type: 'file', directory });
  await deliverThere(delivery);
  expect(readdirSync(directory).sort()).toEqual([name, fresh, ...others].sort());
  // The directory may be long.
  const later = leave(`${nameOf(newDelivery())}.${UNIQUE}`);
  await deliverThere(delivery);
  expect(readdirSync(directory)).toContain(later);
});

it('refuses a file at the target that it did not write', async () => {
  const delivery = newDelivery();
  writeFileSync(fileOf(delivery), 'precious');
  await expect(deliver(delivery)).rejects.toThrow(SinkRejectedError);
  expect(readFileSync(fileOf(delivery), 'utf8')).toBe('precious');
});

async function check(at: string) {
  const sink = await makeSink({ type: 'file', directory: at });
  return sink.check?.(null, new AbortController().signal);
}

it.each([
  ['missing', SinkUnavailableError, /cannot be written \(ENOENT\): create it/],
  ['file', SinkRejectedError, 'is not a directory: correct its path'],
  ['file/below', SinkRejectedError, 'is not a directory: correct its path'],
])('says what is wrong with the directory %s, in a delivery and in a check', async (name, type, message) => {
  writeFileSync(fileIn('file'), '', { mode: 0o755 });
  for (const work of [() => deliver(newDelivery(), fileIn(name)), () => check(fileIn(name))]) {
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
  expect(await check(directory)).toBe(`directory ${directory} ${finding}`);
});
