import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as failureTypes from '../../src/contract/failure-types';
import * as workflows from '../../src/contract/workflows';
import { newFolder } from '../support/clean-up';
import { INSTALL_CONTRACT, sh } from '../support/examples';
import { ROOT, codeBlocks, page } from '../support/markdown';

const ENTRY = 'live-migration-prep-contract';

const PUBLIC = [...Object.keys({ ...failureTypes, ...workflows }), 'STEPS', 'workflowIdFor'];

const folder = newFolder();

/** Returns the value of an expression of JavaScript in the folder. */
function evaluate(inputType: string, expression: string): unknown {
  const args = [`--input-type=${inputType}`, '-e', `console.log(JSON.stringify(${expression}))`];
  return JSON.parse(
    execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' }),
  );
}

// The tarball and nothing else: anything it imports beyond itself is missing.
beforeAll(() => sh(INSTALL_CONTRACT, folder));

it.each([
  ['commonjs', `require('${ENTRY}')`],
  ['module', `await import('${ENTRY}')`],
])('has every public name for %s, with nothing else installed', (inputType, entry) => {
  const names = evaluate(inputType, `Object.keys(${entry})`);
  expect(names).toEqual(expect.arrayContaining(PUBLIC));
});

it('gives access to its JSON Schemas, and to no other file', () => {
  const load = (file: string) => evaluate('commonjs', `require('${ENTRY}/${file}')`);
  expect(load('schemas/receipt.schema.json')).toMatchObject({ title: 'Receipt' });
  expect(() => load('formats.js')).toThrow('ERR_PACKAGE_PATH_NOT_EXPORTED');
});

it('depends on @temporalio/common only, for its types, and for one call on the client', () => {
  const description = evaluate('commonjs', `require('${ENTRY}/package.json')`);
  expect(description).toMatchObject({
    peerDependencies: {
      '@temporalio/client': expect.any(String),
      '@temporalio/common': expect.any(String),
    },
    peerDependenciesMeta: { '@temporalio/client': { optional: true } },
  });
  expect(description).not.toHaveProperty('dependencies');
});

it('describes the fields of its types', () => {
  const types = readFileSync(path.join(folder, 'node_modules', ENTRY, 'schemas.d.ts'), 'utf8');
  expect(types).toMatch(/\/\*\* Name of a sink .*\*\/\n +sink: string;/);
});

it('types CommonJS, ECMAScript modules, README and examples without zod, and finds mistakes', () => {
  const caller = `
    import type { WorkflowHandle } from '@temporalio/client';
    import {
      awaitDeliveryUpdate, isRunFailureType, redeliverUpdate, statusQuery, workflowIdFor,
      type FailureType, type PrepareLiveMigration, type PrepareRequest, type Receipt,
    } from '${ENTRY}';
    const request: PrepareRequest = { orgId: 'a', accessListIps: [], sink: 'drop' };
    const id: string = workflowIdFor(request);
    export const use = async (run: WorkflowHandle<PrepareLiveMigration>): Promise<Receipt[]> => [
      await run.result(),
      await run.executeUpdate(awaitDeliveryUpdate, { args: [request] }),
      await run.executeUpdate(redeliverUpdate, { args: [{ sink: (await run.query(statusQuery)).step }] }),
    ];
    export const find = (type: string): FailureType | null => (isRunFailureType(type) ? type : null);
    export const located = ({ location }: Receipt): string => location + id;`;
  const mistakes = {
    wrongName: caller.replace("sink: 'drop'", "sinks: 'drop'"),
    wrongType: caller.replace("orgId: 'a'", 'orgId: 1'),
  };
  for (const name of ['@temporalio', '@types']) {
    symlinkSync(path.join(ROOT, 'node_modules', name), path.join(folder, 'node_modules', name));
  }
  for (const type of ['cts', 'mts']) {
    writeFileSync(path.join(folder, `caller.${type}`), caller);
    for (const [name, text] of Object.entries(mistakes)) {
      writeFileSync(path.join(folder, `${name}.${type}`), text);
    }
  }
  writeFileSync(path.join(folder, 'readme.mts'), codeBlocks(page('README.md'), 'ts').join(''));
  for (const program of ['smallest', 'join']) {
    writeFileSync(path.join(folder, `${program}.mts`), page(`examples/typescript/${program}.ts`));
  }
  const command = [
    `node "${ROOT}/node_modules/typescript/bin/tsc"`,
    '--strict --exactOptionalPropertyTypes --skipLibCheck --noEmit',
    '--module nodenext --target es2023 --types node *.cts *.mts',
  ].join(' ');
  const { stdout } = spawnSync(command, { cwd: folder, shell: true, encoding: 'utf8' });
  const errors = stdout.match(/^\S+\.[cm]ts.*error TS\d+/gm);
  expect(errors).toEqual([
    expect.stringMatching(/^wrongName.cts.*TS2561$/),
    expect.stringMatching(/^wrongName.mts.*TS2561$/),
    expect.stringMatching(/^wrongType.cts.*TS2322$/),
    expect.stringMatching(/^wrongType.mts.*TS2322$/),
  ]);
});
