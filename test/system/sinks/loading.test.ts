import { execFileSync } from 'node:child_process';
import path from 'node:path';

const ROOT = path.resolve(__dirname, '../../..');

/** The packages that are loaded once the configuration is read and the sink is made. */
function loadedBy(config: object): string[] {
  const program = `
    require('tsx/cjs');
    const { sinkConfigSchema } = require('./src/sinks');
    const context = { env: process.env, baseDirectory: '/', warn() {} };
    sinkConfigSchema(context).parse(${JSON.stringify(config)})().then(() => {
      console.log(JSON.stringify(Object.keys(require.cache)));
    });`;
  const env = { ...process.env, SIGNING_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}` };
  const files = JSON.parse(
    execFileSync(process.execPath, ['-e', program], { cwd: ROOT, env, encoding: 'utf8' }),
  ) as string[];
  const names = files.flatMap((file) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []);
  return [...new Set(names)].filter((name) => !['tsx', 'esbuild'].includes(name)).sort();
}

/** Every sink may import these. What only some need is imported in their `create`. */
const COMMON = ['undici', 'zod'];

it('loads no library that only another sink needs', () => {
  expect(loadedBy({ type: 'file', directory: 'tokens' })).toEqual(COMMON);
});

it('loads a library for the sink that needs it', () => {
  const signingSecrets = [{ env: 'SIGNING_SECRET' }];
  const webhook = { type: 'webhook', url: 'https://example.com/', signingSecrets };
  expect(loadedBy(webhook)).toEqual(expect.arrayContaining([...COMMON, 'standardwebhooks']));
});
