import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import path from 'node:path';

const ROOT = path.join(__dirname, '../..');
/** The bundle that workers run; global set-up has built it. */
const bundle = readFileSync(path.join(ROOT, 'dist/workflow-bundle.js'), 'utf8');

/** The heading that webpack writes above each module. */
const modules = [...bundle.matchAll(/!\*\*\* (\S+)/g)].map(([, module = '']) => module);

it("the workflow bundle holds only Temporal's packages and what they need", () => {
  expect(modules).toContain('./dist/workflows/prepare-live-migration.js');
  const packages = modules.flatMap(
    (module) => /node_modules\/((@[^/]+\/)?[^/]+)/.exec(module)?.[1] ?? [],
  );
  const foreign = new Set(packages.filter((name) => !name.startsWith('@temporalio/')));
  expect(foreign).toEqual(new Set(['long', 'ms', 'nexus-rpc']));
});

it('the workflow bundle holds no module of Node', () => {
  const required = [...bundle.matchAll(/[^\w.]require\(["'](?:node:)?([^"']+)["']\)/g)];
  expect(
    required.map(([, name = '']) => name).filter((name) => builtinModules.includes(name)),
  ).toEqual([]);
  expect(modules.filter((module) => /^external |^node:/.test(module))).toEqual([]);
});

it('the bundle of the workflows and its source map name no folder of this machine', () => {
  const [, base64 = ''] = /^\/\/# sourceMappingURL=data:.*;base64,(\S+)$/m.exec(bundle) ?? [];
  const sourceMap = Buffer.from(base64, 'base64').toString();
  expect(sourceMap.includes('"./src/workflows/index.ts"')).toBe(true);
  expect((bundle + sourceMap).includes(ROOT)).toBe(false);
});
