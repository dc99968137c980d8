import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cleanUpLater, newFolder } from '../../support/clean-up';
import { newDelivery } from '../../support/sinks/delivery';
import { fileFixture } from '../../support/sinks/fixtures/file';
import { makeDelivering } from '../../support/sinks/make-sink';
import { testContract } from './contract';

testContract(fileFixture);

const directory = newFolder();
const itOnSmallDisk = mountSmallDisk(directory) ? it : it.skip;

itOnSmallDisk('waits while the disk is full, leaves no part, and delivers once there is space', async () => {
  const deliver = await makeDelivering({ type: 'file', directory });
  const delivery = newDelivery({ token: 'x'.repeat(10_000) });
  const filler = path.join(directory, 'filler');
  expect(() => {
    for (;;) writeFileSync(filler, 'x'.repeat(4096), { flag: 'a' });
  }).toThrow('ENOSPC');
  await expect(deliver(delivery)).rejects.toThrow(/ENOSPC.*free space/);
  expect(readdirSync(directory)).toEqual(['filler']);
  rmSync(filler);
  await deliver(delivery);
  const [name = ''] = readdirSync(directory);
  expect(readFileSync(path.join(directory, name), 'utf8')).toBe(delivery.token);
});

/** Only root may mount, and only where its container permits it. */
function mountSmallDisk(directory: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', directory], { stdio: 'ignore' });
  } catch {
    return false;
  }
  cleanUpLater(() => execFileSync('umount', [directory]));
  return true;
}

it('loads no library that only another sink needs', () => {
  const program = `
    require('tsx/cjs');
    const { sinkConfigSchema } = require('./src/sinks');
    const context = { env: {}, baseDirectory: '/', warn() {} };
    sinkConfigSchema(context).parse({ type: 'file', directory: 'tokens' })().then(() => {
      console.log(Object.keys(require.cache).join('\\n'));
    });`;
  const cwd = path.resolve(__dirname, '../../..');
  const files = execFileSync(process.execPath, ['-e', program], { cwd, encoding: 'utf8' });
  const names = [...files.matchAll(/\/node_modules\/((?:@[^/]+\/)?[^/]+)\/[^\n]*$/gm)].map(
    ([, name]) => name,
  );
  const ours = names.filter((name) => name !== 'tsx' && name !== 'esbuild');
  // Sinks may import these. What only one needs is imported in its `create`.
  expect([...new Set(ours)].sort()).toEqual(['undici', 'zod']);
});
