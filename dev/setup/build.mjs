/**
 * Builds dist/, unless it is up to date: the compiled programs, and the workflows in one bundle, so
 * that a worker does not bundle them at start.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DefaultLogger, bundleWorkflowCode } from '@temporalio/worker';
import { buildStamp, contentOf } from './stamp.mjs';

const root = path.join(import.meta.dirname, '../..');
process.chdir(root);
const stamp = buildStamp();
// `npm pack` builds, also while tests run the programs of dist/.
if (contentOf('dist/.stamp') === stamp) process.exit(0);

rmSync('dist', { recursive: true, force: true });
const tsc = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'];
const { status } = spawnSync(process.execPath, tsc, { stdio: 'inherit' });
if (status !== 0) process.exit(1);

// The source map names no folder of this machine, so that two clones build the same bytes.
const { code } = await bundleWorkflowCode({
  workflowsPath: 'dist/workflows/index.js',
  payloadConverterPath: path.resolve('dist/shared/payload-converter.js'),
  logger: new DefaultLogger('WARN'),
  webpackConfigHook: ({ resolve, output, ...config }) => ({
    ...config,
    // Finds `workflowsPath`.
    resolve: { ...resolve, modules: [...(resolve?.modules ?? []), root] },
    output: {
      ...output,
      filename: 'workflow-bundle.js',
      /** @param {{ absoluteResourcePath: string }} source */
      devtoolModuleFilenameTemplate: ({ absoluteResourcePath }) =>
        absoluteResourcePath.replace(root, '.'),
    },
  }),
});
writeFileSync('dist/workflow-bundle.js', code);

for (const program of ['dist/worker.js', 'dist/client.js']) chmodSync(program, 0o755);
// Last, so that an interrupted build does not count as done.
writeFileSync('dist/.stamp', stamp);
