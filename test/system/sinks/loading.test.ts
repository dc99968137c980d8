import { execFileSync } from 'node:child_process';
import path from 'node:path';

const ROOT = path.resolve(__dirname, '../../..');

/** Which of the libraries that single sinks need are loaded once the configuration is read and the sink is made. */
function loadedBy(config: object): string[] {
  const program = `
    require('tsx/cjs');
    const { sinkConfigSchema } = require('./src/sinks');
    const context = { env: process.env, baseDirectory: '/', warn() {} };
    sinkConfigSchema(context).parse(${JSON.stringify(config)})().then(() => {
      const files = Object.keys(require.cache).join();
      console.log(JSON.stringify(['@aws-sdk', 'standardwebhooks'].filter((name) => files.includes(name))));
    });`;
  const env = { ...process.env, SIGNING_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}` };
  return JSON.parse(
    execFileSync(process.execPath, ['-e', program], { cwd: ROOT, env, encoding: 'utf8' }),
  ) as string[];
}

it('loads no library of another sink', () => {
  expect(loadedBy({ type: 'file', directory: 'tokens' })).toEqual([]);
});

it('loads a library for the sink that needs it', () => {
  const signingSecrets = [{ env: 'SIGNING_SECRET' }];
  expect(loadedBy({ type: 'webhook', url: 'https://example.com/', signingSecrets })).toEqual([
    'standardwebhooks',
  ]);
});
