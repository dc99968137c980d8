import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as names from '../../src/contract/names';
import { newFolder } from '../support/clean-up';

const ROOT = path.join(__dirname, '../..');
const ENTRY = 'live-migration-prep/contract';

/** Names that callers do not need. Every other name of the contract is exported. */
const INTERNAL = ['TOKEN_UNCONFIRMED'];

let folder: string;

function inFolder(program: string, ...args: string[]): string {
  return execFileSync(program, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Prints, as JSON, what a script assigned to `found`. */
function evaluate(inputType: 'commonjs' | 'module', script: string): unknown {
  const print = 'process.stdout.write(JSON.stringify(found));';
  return JSON.parse(inFolder(process.execPath, `--input-type=${inputType}`, '-e', script + print));
}

/** The tarball and nothing else: whatever an entry imports beyond itself is missing. */
beforeAll(() => {
  folder = newFolder();
  const installed = path.join(folder, 'node_modules/live-migration-prep');
  mkdirSync(installed, { recursive: true });
  const pack = ['pack', '--silent', '--pack-destination', folder];
  const tarball = execFileSync('npm', pack, { cwd: ROOT, encoding: 'utf8' }).trim();
  inFolder('tar', '-xzf', tarball, '-C', installed, '--strip-components=1');
});

describe(`${ENTRY}, without a dependency installed`, () => {
  const exported = Object.keys(names)
    .filter((name) => !INTERNAL.includes(name))
    .sort();

  it.each([
    ['require', 'commonjs', `const entry = require('${ENTRY}');`],
    ['import', 'module', `import * as entry from '${ENTRY}';`],
  ] as const)('has every public name by %s', (_, inputType, load) => {
    const isOurs = `.filter((name) => !['default', 'module.exports', '__esModule'].includes(name))`;
    const script = `${load} const found = Object.keys(entry)${isOurs}.sort();`;
    expect(evaluate(inputType, script)).toEqual(exported);
  });

  it('has named exports and makes workflow ids', () => {
    const script = `import { workflowIdFor } from '${ENTRY}'; const found = workflowIdFor('a', 'b');`;
    expect(evaluate('module', script)).toBe(names.workflowIdFor('a', 'b'));
  });

  it('comes with JSON Schemas', () => {
    const script = `const found = require('live-migration-prep/schemas/receipt.schema.json');`;
    expect(evaluate('commonjs', script)).toMatchObject({ title: 'Receipt' });
  });

  it('gives access to no other file', () => {
    expect(() => evaluate('commonjs', `require('live-migration-prep/dist/client.js');`)).toThrow(
      'ERR_PACKAGE_PATH_NOT_EXPORTED',
    );
  });
});

describe(`the types of ${ENTRY}`, () => {
  const CALLER = `
    import { FAILURE_TYPES, workflowIdFor, type FailureType, type PrepareRequest, type Receipt } from '${ENTRY}';
    const request: PrepareRequest = { orgId: 'a', accessListIps: [], sink: 'drop' };
    const id: string = workflowIdFor(request.orgId, request.sourceOrgId);
    const isOurs = (type: string): type is FailureType => (FAILURE_TYPES as readonly string[]).includes(type);
    export const located = ({ location }: Receipt): string => location + id + String(isOurs('x'));`;
  const WRONG_FIELD = CALLER.replace("sink: 'drop'", "sinks: 'drop'");

  it('serve CommonJS and ECMAScript modules, and find mistakes', () => {
    symlinkSync(path.join(ROOT, 'node_modules/zod'), path.join(folder, 'node_modules/zod'));
    const files = {
      'caller.cts': CALLER,
      'caller.mts': CALLER,
      'mistake.cts': WRONG_FIELD,
      'mistake.mts': WRONG_FIELD,
    };
    for (const [file, code] of Object.entries(files)) writeFileSync(path.join(folder, file), code);
    const options =
      '--strict --exactOptionalPropertyTypes --skipLibCheck --noEmit --module nodenext --target es2023';
    const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
    const args = [tsc, ...options.split(' '), ...Object.keys(files)];
    const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    const errors = stdout.match(/^\S+\.[cm]ts.*error TS\d+/gm);
    expect(errors).toEqual([
      expect.stringMatching(/^mistake\.cts.*TS2561$/),
      expect.stringMatching(/^mistake\.mts.*TS2561$/),
    ]);
  });
});
