import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { startChildProcess } from '../../dev/temporal/child-process';
import { startDevServer } from '../../dev/temporal/dev-server';
import { devServerEnv } from '../../dev/temporal/dev-server-env';
import { cleanUpLater, newFolder } from '../support/clean-up';
import { ROOT, codeBlocks, matchesIn, page, sectionBelow } from '../support/markdown';
import { temporalCli } from '../support/temporal';

const README = page('README.md');
const [install = ''] = codeBlocks(sectionBelow(README, 'Install'), 'sh');
const [prepare = '', servers = '', check = '', start = ''] = codeBlocks(
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
  const folder = newFolder();
  const [clone, prefix, caller] = [
    path.join(folder, 'clone'),
    path.join(folder, 'prefix'),
    path.join(folder, 'empty'),
  ];
  const env = {
    ...devServerEnv(temporal.address),
    PATH: `${path.join(prefix, 'bin')}:${process.env['PATH'] ?? ''}`,
    npm_config_prefix: prefix,
  };
  const sh = async (script: string, cwd = clone) =>
    (await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { cwd, env })).stdout;
  const runUntilTheEnd = (script: string) => {
    const logFile = path.join(newFolder(), 'log');
    const running = startChildProcess('bash', ['-ec', script], { env, logFile });
    cleanUpLater(() => running.end('SIGTERM'));
    return running;
  };

  cpSync(ROOT, clone, {
    recursive: true,
    filter: (file) => !NOT_IN_A_CLONE.has(path.relative(ROOT, file)),
  });
  mkdirSync(path.join(clone, '.cache'));
  for (const name of ['node_modules', '.cache/bin']) {
    symlinkSync(path.join(ROOT, name), path.join(clone, name));
  }
  const [packages, ...rest] = install.split('\n');
  // The set-up of these tests has just done it.
  expect(packages).toMatch(/^npm ci\b/);
  await sh(rest.join('\n'));

  // Port 8080 may be taken here.
  await sh(prepare.replace('# health', 'health'));

  const [setPath, startTemporal, startAtlas] = servers
    .split('\n')
    .map((line) => line.replace(/ *#.*/, ''));
  expect(await sh(`${setPath}; ${startTemporal} --help`)).toContain('Temporal');
  const atlas = runUntilTheEnd(`cd ${ROOT}; exec ${startAtlas} -- --port 0`);
  const [, url] = await atlas.untilOutput(/BASE_URL=(.*)[^]*--help/);
  const exports = matchesIn(atlas.output(), /^ +(export .*)$/gm);
  expect(exports).toHaveLength(3);
  const settings = `${exports.join('\n')}\n`;
  const createdTokens = async () => {
    const state = await (await fetch(`${url}/_emulator/state`)).json();
    return (state as { linkTokens: { linkToken: string }[] }).linkTokens.map(
      ({ linkToken }) => linkToken,
    );
  };

  const [doctor = '', worker = '', ...others] = check
    .split('\n')
    .filter((line) => !/^(#|export |$)/.test(line));
  expect(others).toEqual([]);
  expect(await sh(settings + doctor)).toContain('credential default');
  runUntilTheEnd(`${settings} cd ${clone}; exec ${worker}`);

  expect(await sh(start)).toContain('token is in');
  const [file = ''] = readdirSync(path.join(clone, 'tokens'));
  expect([readFileSync(path.join(clone, 'tokens', file), 'utf8')]).toEqual(await createdTokens());

  // What `npm install` brings where the program is.
  const modules = path.join(caller, 'node_modules');
  mkdirSync(modules, { recursive: true });
  for (const name of ['@temporalio', 'tsx']) {
    symlinkSync(path.join(ROOT, 'node_modules', name), path.join(modules, name));
  }
  const contract = path.join(modules, 'live-migration-prep-contract');
  mkdirSync(contract);
  const tarball = (await sh('npm run pack:contract')).trim().split('\n').at(-1) ?? '';
  await sh(`tar -xzf "${tarball}" -C "${contract}" --strip-components=1`);
  const node = (program: string) => {
    writeFileSync(path.join(caller, 'start.mts'), program);
    return sh('node --import tsx start.mts', caller);
  };
  expect(await node(code)).toMatch(/^file .*link-token/);
  // Later it creates no second token, and takes the receipt of no other request for its own.
  for (const again of [code, code.replace("sink: 'drop'", "sink: 'other'")]) {
    await expect(node(again)).rejects.toThrow('WorkflowExecutionAlreadyStartedError');
  }
  expect(await createdTokens()).toHaveLength(2);
}, 300_000);
