import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { newDelivery } from '../../support/sinks/delivery';
import { makeSink } from '../../support/sinks/make-sink';

const directory = mkdtempSync(path.join(tmpdir(), 'sink-full-disk-'));
const mounted = mountSmallDisk();

afterAll(() => {
  if (mounted) execFileSync('umount', [directory]);
  rmSync(directory, { recursive: true, force: true });
});

(mounted ? it : it.skip)(
  'the file sink waits while the disk is full, leaves no part of a file, and delivers once there is space',
  async () => {
    const sink = await makeSink({ type: 'file', directory });
    const deliver = () => sink.deliver(delivery, new AbortController().signal);
    const delivery = newDelivery({ token: 'x'.repeat(10_000) });
    const filler = path.join(directory, 'filler');
    fillUp(filler);
    const failing = deliver();
    await expect(failing).rejects.toThrow(/ENOSPC.*free space/);
    expect(readdirSync(directory)).toEqual(['filler']);
    rmSync(filler);
    await deliver();
    const [name = ''] = readdirSync(directory);
    expect(readFileSync(path.join(directory, name), 'utf8')).toBe(delivery.token);
  },
);

/** Only root may mount, and only where its container permits it. */
function mountSmallDisk(): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', directory], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function fillUp(file: string): void {
  try {
    for (;;) writeFileSync(file, 'x'.repeat(4096), { flag: 'a' });
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
  }
}
