import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SinkRejectedError, SinkUnavailableError, type Delivery } from '../../src/sinks/sink';
import { newDelivery } from './support/delivery';
import { makeSink } from './support/make-sink';

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

it('clears away what an attempt that was killed left, and writes anew', async () => {
  const delivery = newDelivery();
  writeFileSync(`${fileOf(delivery)}.tmp`, delivery.token.slice(0, 5), { mode: 0o644 });
  await deliver(delivery);
  expect(readFileSync(fileOf(delivery), 'utf8')).toBe(delivery.token);
  expect(statSync(fileOf(delivery)).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toHaveLength(1);
});

it('refuses the file of another hand', async () => {
  const delivery = newDelivery();
  writeFileSync(fileOf(delivery), 'of another hand');
  await expect(deliver(delivery)).rejects.toThrow(SinkRejectedError);
  expect(readFileSync(fileOf(delivery), 'utf8')).toBe('of another hand');
});

it.each(['.tmp', ''])('does not write through a symbolic link at the target%s', async (suffix) => {
  const delivery = newDelivery();
  const victim = path.join(root, 'victim');
  writeFileSync(victim, 'precious');
  symlinkSync(victim, fileOf(delivery) + suffix);
  const delivering = deliver(delivery);
  if (suffix === '') await expect(delivering).rejects.toThrow(SinkRejectedError);
  else await delivering;
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

it('rejects a circle of links', async () => {
  const loop = path.join(root, 'loop');
  symlinkSync(loop, loop);
  await expect(deliver(newDelivery(), loop)).rejects.toThrow(/is a circle of links/);
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

// Only root may mount, and only where the container lets it.
const canMount = isRoot && mounts();
(canMount ? it : it.skip)(
  'waits while the disk is full, leaves no half of a file, and delivers once there is room',
  async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', directory]);
    try {
      const filler = path.join(directory, 'filler');
      fillUp(filler);
      const delivery = newDelivery({ token: 'x'.repeat(10_000) });
      await expect(deliver(delivery)).rejects.toThrow(/ENOSPC.*free space/);
      expect(readdirSync(directory)).toEqual(['filler']);
      rmSync(filler);
      await deliver(delivery);
      expect(readFileSync(fileOf(delivery), 'utf8')).toBe(delivery.token);
    } finally {
      execFileSync('umount', [directory]);
    }
  },
);

function fillUp(file: string): void {
  try {
    for (;;) writeFileSync(file, 'x'.repeat(4096), { flag: 'a' });
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
  }
}

function mounts(): boolean {
  const probe = mkdtempSync(path.join(tmpdir(), 'sink-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', probe], { stdio: 'ignore' });
    execFileSync('umount', [probe]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}
