import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as names from '../../src/contract/names';
import { newFolder } from '../support/clean-up';

const ROOT = path.join(__dirname, '../..');
const ENTRY = 'live-migration-prep/contract';

/** Every name but one that callers do not need. */
const PUBLIC = Object.keys(names).filter((name) => name !== 'TOKEN_UNCONFIRMED');

const folder = newFolder();

function inFolder(program: string, ...args: string[]): string {
  return execFileSync(program, args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
}

/** Returns the value of an expression after a script, in the folder. */
function evaluate(inputType: 'commonjs' | 'module', script: string, expression: string): unknown {
  const print = `${script}; process.stdout.write(JSON.stringify(${expression}));`;
  return JSON.parse(inFolder(process.execPath, `--input-type=${inputType}`, '-e', print));
}

/** The tarball and nothing else: anything an entry imports beyond itself is missing. */
beforeAll(() => {
  const installed = path.join(folder, 'node_modules/live-migration-prep');
  mkdirSync(installed, { recursive: true });
  const pack = ['pack', '--silent', '--pack-destination', folder];
  const tarball = execFileSync('npm', pack, { cwd: ROOT, encoding: 'utf8' }).trim();
  inFolder('tar', '-xzf', tarball, '-C', installed, '--strip-components=1');
});

it.each([
  ['require', 'commonjs', `const entry = require('${ENTRY}')`],
  ['import', 'module', `import * as entry from '${ENTRY}'`],
] as const)(
  'the entry has every public name by %s, without a dependency installed',
  (_by, inputType, load) => {
    expect(evaluate(inputType, load, 'Object.keys(entry)')).toEqual(expect.arrayContaining(PUBLIC));
    expect(evaluate(inputType, load, 'entry.TOKEN_UNCONFIRMED ?? null')).toBeNull();
  },
);

it('the package gives access to its JSON Schemas, and to no other file', () => {
  const schema = `require('live-migration-prep/schemas/receipt.schema.json')`;
  expect(evaluate('commonjs', '', schema)).toMatchObject({ title: 'Receipt' });
  const internal = `require('live-migration-prep/dist/client.js')`;
  expect(() => evaluate('commonjs', '', internal)).toThrow('ERR_PACKAGE_PATH_NOT_EXPORTED');
});

it('the types of the entry serve CommonJS and ECMAScript modules, and find mistakes', () => {
  const caller = `
    import { FAILURE_TYPES, workflowIdFor, type FailureType, type PrepareRequest, type Receipt } from '${ENTRY}';
    const request: PrepareRequest = { orgId: 'a', accessListIps: [], sink: 'drop' };
    const id: string = workflowIdFor(request.orgId, request.sourceOrgId);
    const isOurs = (type: string): type is FailureType => (FAILURE_TYPES as readonly string[]).includes(type);
    export const located = ({ location }: Receipt): string => location + id + String(isOurs('x'));`;
  const mistake = caller.replace("sink: 'drop'", "sinks: 'drop'");
  symlinkSync(path.join(ROOT, 'node_modules/zod'), path.join(folder, 'node_modules/zod'));
  const files = {
    'caller.cts': caller,
    'caller.mts': caller,
    'mistake.cts': mistake,
    'mistake.mts': mistake,
  };
  for (const [file, code] of Object.entries(files)) writeFileSync(path.join(folder, file), code);
  const options =
    '--strict --exactOptionalPropertyTypes --skipLibCheck --noEmit --module nodenext --target es2023';
  const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
  const args = [tsc, ...options.split(' '), ...Object.keys(files)];
  const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  const errors = stdout.match(/^\S+\.[cm]ts.*error TS\d+/gm);
  expect(errors).toEqual(['cts', 'mts'].map((type) => expect.stringMatching(`^mistake.${type}.*TS2561$`)));
});
