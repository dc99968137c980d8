import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { fileFixture } from '../../support/sinks/fixtures/file';
import { testContract } from './contract';

testContract(fileFixture);

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
  const found = files.matchAll(/\/node_modules\/((?:@[^/]+\/)?[^/]+)\/[^\n]*$/gm);
  const names = new Set([...found].map(([, name = '']) => name));
  // Sinks may import zod and undici. What only one needs is imported in its `create`.
  expect([...names].sort()).toEqual(['esbuild', 'tsx', 'undici', 'zod']);
});
