import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
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

it('writes the token and nothing else, for its owner alone, whatever the umask', async () => {
  const delivery = newDelivery();
  const umask = process.umask(0);
  try {
    await deliver(delivery);
  } finally {
    process.umask(umask);
  }
  expect(readFileSync(fileOf(delivery), 'utf8')).toBe(delivery.token);
  expect(statSync(fileOf(delivery)).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toEqual([nameOf(delivery)]);
});

it('names the file by the Atlas organization alone when there is no source', async () => {
  const delivery = newDelivery({ sourceOrgId: null });
  expect(await deliver(delivery)).toContain(`${delivery.orgId}.${delivery.deliveryId}.link-token`);
});

it('leaves the file as it is when it delivers again', async () => {
  const delivery = newDelivery();
  await deliver(delivery);
  const before = statSync(fileOf(delivery));
  await deliver(delivery);
  const after = statSync(fileOf(delivery));
  expect([after.ino, after.mtimeMs]).toEqual([before.ino, before.mtimeMs]);
});

it('shows a reader the whole token or no file, however many attempts write at once', async () => {
  const delivery = newDelivery({ token: 'x'.repeat(100_000) });
  const seen = new Set<number>();
  let writing = true;
  const read = () => {
    if (existsSync(fileOf(delivery))) seen.add(readFileSync(fileOf(delivery), 'utf8').length);
    if (writing) setImmediate(read);
  };
  read();
  try {
    await Promise.all(Array.from({ length: 40 }, () => deliver(delivery)));
  } finally {
    writing = false;
  }
  expect([...seen]).toEqual([delivery.token.length]);
  expect(readdirSync(directory)).toEqual([nameOf(delivery)]);
});

describe('the temporary file of an attempt that was killed', () => {
  const HOURS_AGO = new Date(Date.now() - 3 * 3_600_000);
  const leave = (name: string, modified = HOURS_AGO) => {
    const file = path.join(directory, name);
    writeFileSync(file, 'canary-half-a-tok');
    utimesSync(file, modified, modified);
    return name;
  };

  const UNIQUE = '0b7e9c1e-8f0e-4a55-9b39-0d1f6b1f3f59.tmp';

  it('is in nobody’s way, and removed once it is old, of whichever token it is', async () => {
    const delivery = newDelivery();
    const name = nameOf(delivery);
    const fresh = leave(`${name}.${UNIQUE}`, new Date());
    for (const old of [`${name}.1${UNIQUE.slice(1)}`, `${nameOf(newDelivery())}.${UNIQUE}`]) leave(old);
    await deliver(delivery);
    expect(readdirSync(directory).sort()).toEqual([name, fresh]);
    expect(readFileSync(fileOf(delivery), 'utf8')).toBe(delivery.token);
  });

  it('is looked for once a minute, since the directory may be long', async () => {
    const now = jest.spyOn(Date, 'now');
    const sink = await makeSink({ type: 'file', directory });
    const { signal } = new AbortController();
    const startedMs = Date.now();
    const leftAfterMs = async (ms: number) => {
      now.mockReturnValue(startedMs + ms);
      await sink.deliver(newDelivery(), signal);
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

  it('is distinguished from the files of others', async () => {
    const others = ['notes.tmp', 'a.link-token.tmp', `${newOrgId()}.tmp`].map((name) => leave(name));
    await deliver(newDelivery());
    expect(readdirSync(directory)).toEqual(expect.arrayContaining(others));
  });
});

it('refuses a file that it did not write', async () => {
  const delivery = newDelivery();
  writeFileSync(fileOf(delivery), 'of someone else');
  await expect(deliver(delivery)).rejects.toThrow(SinkRejectedError);
  expect(readFileSync(fileOf(delivery), 'utf8')).toBe('of someone else');
});

it('does not write through a symbolic link at the target', async () => {
  const delivery = newDelivery();
  writeFileSync(fileIn('victim'), 'precious');
  symlinkSync(fileIn('victim'), fileOf(delivery));
  await expect(deliver(delivery)).rejects.toThrow(SinkRejectedError);
  expect(readFileSync(fileIn('victim'), 'utf8')).toBe('precious');
});

it('waits for a directory that is missing', async () => {
  await expect(deliver(newDelivery(), fileIn('missing'))).rejects.toThrow(SinkUnavailableError);
});

it.each([
  ['that is a file', 'file', 'is not a directory: correct its path'],
  ['below a file', 'file/below', 'is not a directory: correct its path'],
])('rejects a directory %s', async (_what, name, problem) => {
  writeFileSync(fileIn('file'), '');
  const delivering = deliver(newDelivery(), fileIn(name));
  await expect(delivering).rejects.toThrow(SinkRejectedError);
  await expect(delivering).rejects.toThrow(problem);
});

const isRoot = process.getuid?.() === 0;

/** Root may write anywhere, so it steps down for the time of the work. */
async function unprivileged(work: () => Promise<void>): Promise<void> {
  if (!isRoot) return work();
  process.seteuid?.('nobody');
  try {
    await work();
  } finally {
    process.seteuid?.(0);
  }
}

it('waits for a permission', async () => {
  chmodSync(fileIn(), 0o755);
  chmodSync(directory, 0o555);
  await unprivileged(async () => {
    await expect(deliver(newDelivery())).rejects.toThrow(/EACCES.*grant the worker access/);
  });
  chmodSync(directory, 0o755);
  await deliver(newDelivery());
});

describe('doctor', () => {
  const check = async (at: string) => {
    const sink = await makeSink({ type: 'file', directory: at });
    return sink.check?.(null, new AbortController().signal);
  };

  it.each([
    [0o700, 'can be written'],
    [0o1777, 'can be written'],
    [0o777, 'can be written, by every user of the host: chmod o-w it'],
  ])('finds that a directory of mode %o %s', async (mode, finding) => {
    chmodSync(directory, mode);
    expect(await check(directory)).toBe(`directory ${directory} ${finding}`);
  });

  it.each([0o600, 0o755])('finds that a file of mode %o is no directory', async (mode) => {
    const file = fileIn('file');
    writeFileSync(file, '', { mode });
    await expect(check(file)).rejects.toThrow(
      new SinkRejectedError(`the directory ${file} of the sink is not a directory: correct its path`),
    );
  });
});
