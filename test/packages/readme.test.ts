import { execFile } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { startAtlasEmulator } from '../../dev/atlas-emulator';
import { startChildProcess } from '../../dev/temporal/child-process';
import { startDevServer } from '../../dev/temporal/dev-server';
import { devServerEnv } from '../../dev/temporal/dev-server-env';
import { cleanUpLater, closeLater, newFolder } from '../support/clean-up';
import { ROOT, codeBlocks, page, sectionBelow } from '../support/markdown';
import { temporalCli } from '../support/temporal';

const README = page('README.md');
const [install = ''] = codeBlocks(sectionBelow(README, 'Install'), 'sh');
const [prepare = '', emulator = '', check = '', start = ''] = codeBlocks(
  sectionBelow(README, 'Run it'),
  'sh',
);
const [code = ''] = codeBlocks(README, 'ts');

/** Files that a clone does not have; `npm pack` makes dist/, unless it is up to date. */
const NOT_IN_A_CLONE = new Set(['node_modules', '.cache', '.git']);

/** One test, since each block needs what those before it made. */
it('every block of README works, in its order', async () => {
  // A server of its own, since README names the task queue and the organization.
  const temporal = await startDevServer();
  cleanUpLater(() => temporal.stop());
  // The 72 hours that README requires, where a development server has 24.
  await temporalCli(temporal.address, 'operator', 'namespace', 'update', '--retention', '72h');
  const atlas = closeLater(await startAtlasEmulator());
  const folder = newFolder();
  const [clone, prefix, work] = [
    path.join(folder, 'clone'),
    path.join(folder, 'prefix'),
    path.join(folder, 'work'),
  ];
  const env = {
    ...devServerEnv(temporal.address),
    PATH: `${path.join(prefix, 'bin')}:${process.env['PATH'] ?? ''}`,
    npm_config_prefix: prefix,
  };
  const sh = async (script: string, cwd = work) =>
    (await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { cwd, env })).stdout;

  cpSync(ROOT, clone, { recursive: true, filter: (file) => !NOT_IN_A_CLONE.has(path.relative(ROOT, file)) });
  mkdirSync(work);
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(clone, 'node_modules'));
  const [packages, ...rest] = install.split('\n');
  // The set-up of these tests has just done it.
  expect(packages).toMatch(/^npm ci\b/);
  await sh(rest.join('\n'), clone);

  await sh(prepare);
  // Port 8080 may be taken here.
  appendFileSync(path.join(work, 'live-migration-prep.yaml'), 'health: { port: 0 }\n');

  const settings = emulator.replace('http://127.0.0.1:4400', atlas.url);
  const [doctor = '', worker = '', ...others] = check
    .split('\n')
    .filter((line) => !/^(#|export |$)/.test(line));
  expect(others).toEqual([]);
  expect(await sh(settings + doctor)).toContain('credential default');
  const logFile = path.join(folder, 'worker.log');
  const running = startChildProcess('bash', ['-ec', `${settings} cd ${work}; exec ${worker}`], {
    env,
    logFile,
  });
  cleanUpLater(() => running.end('SIGTERM'));

  expect(await sh(start)).toContain('token is in');
  const [file = ''] = readdirSync(path.join(work, 'tokens'));
  const [token] = atlas.createdTokens();
  expect(readFileSync(path.join(work, 'tokens', file), 'utf8')).toBe(token?.linkToken);

  // What `npm install` brings where the program is.
  const modules = path.join(work, 'node_modules');
  mkdirSync(modules);
  for (const name of ['@temporalio', 'tsx']) {
    symlinkSync(path.join(ROOT, 'node_modules', name), path.join(modules, name));
  }
  symlinkSync(
    path.join(prefix, 'lib/node_modules/live-migration-prep'),
    path.join(modules, 'live-migration-prep'),
  );
  const node = (program: string) => {
    writeFileSync(path.join(work, 'start.mts'), program);
    return sh('node --import tsx start.mts');
  };
  expect(await node(code)).toMatch(/^file .*link-token/);
  // Later it creates no second token, and takes the receipt of no other request for its own.
  for (const again of [code, code.replace("sink: 'drop'", "sink: 'other'")]) {
    await expect(node(again)).rejects.toThrow('WorkflowExecutionAlreadyStartedError');
  }
  expect(atlas.createdTokens()).toHaveLength(2);
}, 300_000);
