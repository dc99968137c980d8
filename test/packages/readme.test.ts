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
const [prepare = '', servers = '', realAtlas = '', check = '', start = ''] = codeBlocks(
  sectionBelow(README, 'Run it'),
  'sh',
);
const [code = ''] = codeBlocks(README, 'ts');

/** Files that a clone does not have; `npm pack` makes dist/, unless it is up to date. */
const NOT_IN_A_CLONE = new Set(['node_modules', '.cache', '.git']);

/** A server of its own, since README names the task queue and the organization. */
async function startTemporal() {
  const temporal = await startDevServer();
  cleanUpLater(() => temporal.stop());
  // The 72 hours of docs/getting-started.md, where a development server has 24.
  await temporalCli(temporal.address, 'operator', 'namespace', 'update', '--retention', '72h');
  return temporal;
}

/** Copies the repository as a clone has it, with the packages and programs of this one. */
function makeClone(clone: string): void {
  cpSync(ROOT, clone, {
    recursive: true,
    filter: (file) => !NOT_IN_A_CLONE.has(path.relative(ROOT, file)),
  });
  mkdirSync(path.join(clone, '.cache'));
  for (const name of ['node_modules', '.cache/bin']) {
    symlinkSync(path.join(ROOT, name), path.join(clone, name));
  }
}

/** Starts a script that is ended after the last test. */
function startScript(script: string, env: NodeJS.ProcessEnv) {
  const logFile = path.join(newFolder(), 'log');
  const process = startChildProcess('bash', ['-ec', script], { env, logFile });
  cleanUpLater(() => process.end('SIGTERM'));
  return process;
}

/** Brings to a folder what `npm install` brings to that of a caller's program. */
async function installContract(
  folder: string,
  sh: (script: string) => Promise<string>,
): Promise<void> {
  const modules = path.join(folder, 'node_modules');
  mkdirSync(modules, { recursive: true });
  for (const name of ['@temporalio', 'tsx']) {
    symlinkSync(path.join(ROOT, 'node_modules', name), path.join(modules, name));
  }
  const contract = path.join(modules, 'live-migration-prep-contract');
  mkdirSync(contract);
  const tarball = (await sh('npm run pack:contract')).trim().split('\n').at(-1) ?? '';
  await sh(`tar -xzf "${tarball}" -C "${contract}" --strip-components=1`);
}

/** Names the tokens that an emulator in another process has created. */
async function tokensOf(url: string | undefined): Promise<string[]> {
  const state: unknown = await (await fetch(`${url}/_emulator/state`)).json();
  const { linkTokens } = state as { linkTokens: { linkToken: string }[] };
  return linkTokens.map(({ linkToken }) => linkToken);
}

/** One test, since each block needs what those before it made. */
it('every block of README works, in its order', async () => {
  const temporal = await startTemporal();
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

  makeClone(clone);
  const [packages, ...program] = install.split('\n');
  // The set-up of these tests has just done it.
  expect(packages).toMatch(/^npm ci\b/);
  await sh(program.join('\n'));

  // Port 8080 may be taken here.
  await sh(prepare.replace('# health', 'health'));

  const [setPath, temporalCommand, atlasCommand] = servers
    .split('\n')
    .map((line) => line.replace(/ *#.*/, ''));
  expect(await sh(`${setPath}; ${temporalCommand} --help`)).toContain('Temporal');
  const atlas = startScript(`cd ${ROOT}; exec ${atlasCommand} -- --port 0`, env);
  const [, url] = await atlas.untilOutput(/BASE_URL=(.*)[^]*--help/);
  const exports = matchesIn(atlas.output(), /^ +(export .*)$/gm);
  expect(exports).toHaveLength(3);
  const settings = `${exports.join('\n')}\n`;

  // Its placeholders would replace the exports above.
  expect(realAtlas).toMatch(/^export MONGODB_ATLAS_CLIENT_ID=… MONGODB_ATLAS_CLIENT_SECRET=…\n$/);
  const commands = check.split('\n').filter((line) => !/^(#|export |$)/.test(line));
  expect(commands).toHaveLength(2);
  const [doctor = '', worker = ''] = commands;
  expect(await sh(settings + doctor)).toContain('credential default');
  startScript(`${settings} cd ${clone}; exec ${worker}`, env);

  expect(await sh(start)).toContain('token is in');
  const [file = ''] = readdirSync(path.join(clone, 'tokens'));
  expect([readFileSync(path.join(clone, 'tokens', file), 'utf8')]).toEqual(await tokensOf(url));

  await installContract(caller, sh);
  const node = (text: string) => {
    writeFileSync(path.join(caller, 'start.mts'), text);
    return sh('node --import tsx start.mts', caller);
  };
  const place = await node(code);
  expect(place).toMatch(/^file .*link-token/);
  // Later it creates no second token, and takes the receipt of no other request for its own.
  expect(await node(code)).toBe(place);
  await expect(node(code.replace("sink: 'drop'", "sink: 'other'"))).rejects.toThrow(
    'DifferentRequest',
  );
  expect(await tokensOf(url)).toHaveLength(2);
}, 300_000);
