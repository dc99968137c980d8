import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SinkRejectedError, SinkUnavailableError, type Delivery } from '../../../src/sinks/sink';
import { newOrgId } from '../../support/ids';
import { newDelivery } from '../../support/sinks/delivery';
import { makeSink } from '../../support/sinks/make-sink';

let root: string;
let directory: string;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'sink-file-'));
  directory = path.join(root, 'tokens');
  mkdirSync(directory);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function deliver(delivery: Delivery, into = directory): Promise<string> {
  const sink = await makeSink({ type: 'file', directory: into });
  return sink.deliver(delivery, new AbortController().signal);
}

const fileOf = ({ orgId, sourceOrgId, deliveryId }: Delivery, into = directory) =>
  path.join(into, [orgId, sourceOrgId, deliveryId, 'link-token'].filter(Boolean).join('.'));

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
  expect(readdirSync(directory)).toEqual([path.basename(fileOf(delivery))]);
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
  expect(readdirSync(directory)).toEqual([path.basename(fileOf(delivery))]);
});

describe('the temporary file of an attempt that was killed', () => {
  const HOURS_AGO = new Date(Date.now() - 3 * 3_600_000);
  const leave = (name: string, modified = HOURS_AGO) => {
    const file = path.join(directory, name);
    writeFileSync(file, 'canary-half-a-tok');
    utimesSync(file, modified, modified);
    return name;
  };

  it('is in nobody’s way, and removed once it is old', async () => {
    const delivery = newDelivery();
    const name = path.basename(fileOf(delivery));
    const fresh = leave(`${name}.0b7e9c1e-8f0e-4a55-9b39-0d1f6b1f3f59.tmp`, new Date());
    leave(`${name}.11111111-8f0e-4a55-9b39-0d1f6b1f3f59.tmp`);
    leave(`${name}.tmp`);
    await deliver(delivery);
    expect(readdirSync(directory).sort()).toEqual([name, fresh]);
    expect(readFileSync(fileOf(delivery), 'utf8')).toBe(delivery.token);
  });

  it('is removed by the next delivery of another token too', async () => {
    leave(`${path.basename(fileOf(newDelivery()))}.0b7e9c1e-8f0e-4a55-9b39-0d1f6b1f3f59.tmp`);
    const delivery = newDelivery();
    await deliver(delivery);
    expect(readdirSync(directory)).toEqual([path.basename(fileOf(delivery))]);
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
      leave(`${path.basename(fileOf(newDelivery()))}.0b7e9c1e-8f0e-4a55-9b39-0d1f6b1f3f59.tmp`);
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
  const victim = path.join(root, 'victim');
  writeFileSync(victim, 'precious');
  symlinkSync(victim, fileOf(delivery));
  await expect(deliver(delivery)).rejects.toThrow(SinkRejectedError);
  expect(readFileSync(victim, 'utf8')).toBe('precious');
});

it('waits for a directory that is missing', async () => {
  await expect(deliver(newDelivery(), path.join(root, 'missing'))).rejects.toThrow(SinkUnavailableError);
});

it('rejects a directory that is a file', async () => {
  const file = path.join(root, 'file');
  writeFileSync(file, '');
  await expect(deliver(newDelivery(), file)).rejects.toThrow(/is not a directory: correct its path/);
  await expect(deliver(newDelivery(), path.join(file, 'below'))).rejects.toThrow(SinkRejectedError);
});

it('rejects a symlink loop', async () => {
  const loop = path.join(root, 'loop');
  symlinkSync(loop, loop);
  await expect(deliver(newDelivery(), loop)).rejects.toThrow(/is a symlink loop/);
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
  chmodSync(root, 0o755);
  chmodSync(directory, 0o555);
  await unprivileged(async () => {
    await expect(deliver(newDelivery())).rejects.toThrow(/EACCES.*grant the worker access/);
  });
  chmodSync(directory, 0o755);
  await deliver(newDelivery());
});

(isRoot ? it : it.skip)('says that the token may be there when its file cannot be read', async () => {
  chmodSync(root, 0o755);
  chmodSync(directory, 0o755);
  const delivery = newDelivery();
  await deliver(delivery);
  await unprivileged(async () => {
    await expect(deliver(delivery)).rejects.toMatchObject({
      name: 'SinkUnavailableError',
      tokenMayBeThere: true,
    });
  });
});
