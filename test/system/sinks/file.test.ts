import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Delivery } from '../../../src/sinks/sink';
import { newFolder } from '../../support/clean-up';
import { testContract } from './contract';

testContract(() => {
  const folder = newFolder();
  const directory = path.join(folder, 'tokens');
  const away = path.join(folder, 'away');
  mkdirSync(directory);
  const fileOf = ({ orgId, sourceOrgId, deliveryId }: Delivery) =>
    path.join(directory, `${orgId}.${sourceOrgId}.${deliveryId}.link-token`);
  return Promise.resolve({
    keepsFormer: true,
    configFor: () => ({ type: 'file', directory }),
    env: {},
    canaries: [],
    locationOf: (delivery) => `file ${fileOf(delivery)} on the worker's host`,
    held: ({ orgId, sourceOrgId }) =>
      readdirSync(directory)
        // An attempt that lost its directory may leave a temporary file.
        .filter((name) => name.startsWith(`${orgId}.${sourceOrgId}.`) && name.endsWith('.link-token'))
        .map((name) => readFileSync(path.join(directory, name), 'utf8')),
    refuse: (delivery) => writeFileSync(fileOf(delivery), 'of someone else'),
    proxy: {
      cut: () => renameSync(directory, away),
      restore: () => renameSync(away, directory),
    },
  });
});

it('loads no library that only another sink needs', () => {
  const program = `
    require(process.argv[1]).sinkConfigSchema({ env: {}, baseDirectory: '/', warn() {} })
      .parse({ type: 'file', directory: 'tokens' })()
      .then(() => console.log(Object.keys(require.cache).join()));`;
  const sinks = path.resolve(__dirname, '../../../dist/sinks');
  const files = execFileSync(process.execPath, ['-e', program, sinks], { encoding: 'utf8' });
  const packages = [...files.matchAll(/\/node_modules\/((?:@[^/]+\/)?[^/]+)/g)].map(([, name]) => name);
  // Sinks may import zod and undici. What only one needs is imported in its `create`.
  expect([...new Set(packages)].sort()).toEqual(['undici', 'zod']);
});
