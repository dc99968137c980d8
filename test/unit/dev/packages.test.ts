import { mkdirSync, writeFileSync } from 'node:fs';
import { arePackagesInstalled } from '../../../dev/setup/packages.mjs';
import { temporaryFolder } from '../temporary-folder';

const ZOD = { 'node_modules/zod': { integrity: 'sha512-a' } };
const HERE = {
  'node_modules/here': { integrity: 'sha512-b', optional: true, os: [process.platform], cpu: [process.arch] },
};
const ELSEWHERE = { 'node_modules/elsewhere': { integrity: 'sha512-c', os: ['aix'], cpu: ['ppc64'] } };
const OTHER_LIBC = { 'node_modules/musl': { integrity: 'sha512-d', os: [process.platform], libc: ['musl'] } };
const OF_ELSEWHERE = { 'node_modules/of-elsewhere': { integrity: 'sha512-e', optional: true } };

const fileIn = temporaryFolder();

function areInstalled(packages: object | null): boolean {
  const pinned = { '': {}, ...ZOD, ...HERE, ...ELSEWHERE, ...OTHER_LIBC, ...OF_ELSEWHERE };
  writeFileSync(fileIn('package-lock.json'), JSON.stringify({ packages: pinned }));
  mkdirSync(fileIn('node_modules'));
  if (packages) writeFileSync(fileIn('node_modules/.package-lock.json'), JSON.stringify({ packages }));
  return arePackagesInstalled(fileIn());
}

it.each<[what: string, expected: boolean, packages: object | null]>([
  ['what npm ci installs on this machine', true, { ...ZOD, ...HERE }],
  ['one package more', true, { ...ZOD, ...HERE, 'node_modules/more': { integrity: 'sha512-f' } }],
  ['nothing, or an installation that was interrupted', false, null],
  ['one package fewer, as after npm prune', false, HERE],
  [
    'another version of an optional package',
    false,
    { ...ZOD, ...HERE, 'node_modules/of-elsewhere': { integrity: 'sha512-f' } },
  ],
  ['another version', false, { ...HERE, 'node_modules/zod': { integrity: 'sha512-f' } }],
  ['what another machine needs', false, { ...ZOD, ...ELSEWHERE }],
])('packages count as installed when node_modules holds %s: %p', (_what, expected, packages) => {
  expect(areInstalled(packages)).toBe(expected);
});
