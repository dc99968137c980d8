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
import { makeSink } from '../../support/sinks/make-sink';
import { temporaryFolder } from '../temporary-folder';

const fileIn = temporaryFolder();
let directory: string;
beforeEach(() => {
  directory = fileIn('tokens');
  mkdirSync(directory);
});

async function deliver(delivery: Delivery, into = directory): Promise<string> {
  const sink = await makeSink({ type: 'file', directory: into });
  return sink.deliver(delivery, new AbortController().signal);
}

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

describe('the temporary file of an attempt that was killed', () => {
  const HOURS_AGO = new Date(Date.now() - 3 * 3_600_000);
  const UNIQUE = '0b7e9c1e-8f0e-4a55-9b39-0d1f6b1f3f59.tmp';
  const leave = (name: string, modified = HOURS_AGO) => {
    const file = path.join(directory, name);
    writeFileSync(file, 'canary-half-a-tok');
    utimesSync(file, modified, modified);
    return name;
  };

  it('is removed once it is old, of whichever token it is, and distinguished from the files of others', async () => {
    const delivery = newDelivery();
    const name = nameOf(delivery);
    const fresh = leave(`${name}.${UNIQUE}`, new Date());
    const others = ['notes.tmp', 'a.link-token.tmp', `${newOrgId()}.tmp`].map((other) => leave(other));
    for (const old of [`${name}.1${UNIQUE.slice(1)}`, `${nameOf(newDelivery())}.${UNIQUE}`]) leave(old);
    await deliver(delivery);
    expect(readdirSync(directory).sort()).toEqual([name, fresh, ...others].sort());
    expect(readFileSync(fileOf(delivery), 'utf8')).toBe(delivery.token);
  });

  it('is looked for once a minute, since the directory may be long', async () => {
    const now = jest.spyOn(Date, 'now');
    const sink = await makeSink({ type: 'file', directory });
    const startedMs = Date.now();
    const leftAfterMs = async (ms: number) => {
      now.mockReturnValue(startedMs + ms);
      await sink.deliver(newDelivery(), new AbortController().signal);
      return readdirSync(directory).filter((name) => name.endsWith('.tmp')).length;
    };
    try {
      expect(await leftAfterMs(0)).toBe(0);
      leave(`${nameOf(newDelivery())}.${UNIQUE}`);
      expect(await leftAfterMs(59_000)).toBe(1);
      expect(await leftAfterMs(61_000)).toBe(0);
    } finally {
      now.mockRestore();
    }
  });
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
