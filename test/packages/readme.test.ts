import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
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
import { DEFAULTS, startAtlasEmulator, type AtlasEmulator } from '../../dev/atlas-emulator';
import { embeddedEnv } from '../../dev/temporal/embedded-env';
import { startEmbeddedTemporal } from '../../dev/temporal/embedded-temporal';
import { cleanUpLater, closeLater, newFolder } from '../support/clean-up';
import { temporalCli } from '../support/temporal';
import { ROOT, codeBlocks, page, sectionBelow } from '../unit/docs/markdown';

const run = promisify(execFile);

jest.setTimeout(300_000);

const PROGRAM_TIMEOUT_MS = 60_000;

const README = page('README.md');
const [install = ''] = codeBlocks(sectionBelow(README, 'Install'), 'sh');
const [prepare = '', emulator = '', check = '', start = ''] = codeBlocks(
  sectionBelow(README, 'Run it'),
  'sh',
);

/** Files that a clone does not have; `npm pack` makes dist/, unless it is up to date. */
const NOT_IN_A_CLONE = new Set(['node_modules', '.cache', '.git']);

let folder: string;
let workFolder: string;
let env: NodeJS.ProcessEnv;
let atlas: AtlasEmulator;

async function sh(script: string, cwd: string): Promise<string> {
  return (await run('bash', ['-euo', 'pipefail', '-c', script], { cwd, env })).stdout;
}

beforeAll(async () => {
  folder = newFolder();
  // A server of its own, since README names the task queue and the organization.
  const temporal = await startEmbeddedTemporal();
  cleanUpLater(() => temporal.stop());
  // The 72 hours that README requires, where a development server has 24.
  await temporalCli(temporal.address, 'operator', 'namespace', 'update', '--retention', '72h');
  atlas = closeLater(await startAtlasEmulator());
  const prefix = path.join(folder, 'prefix');
  env = {
    ...embeddedEnv(temporal.address),
    PATH: `${path.join(prefix, 'bin')}:${process.env['PATH'] ?? ''}`,
    npm_config_prefix: prefix,
    MONGODB_ATLAS_BASE_URL: atlas.url,
    MONGODB_ATLAS_CLIENT_ID: DEFAULTS.serviceAccount.clientId,
    MONGODB_ATLAS_CLIENT_SECRET: DEFAULTS.serviceAccount.clientSecret,
  };
  workFolder = path.join(folder, 'work');
  mkdirSync(workFolder);
});

it('installs both programs from a clone', async () => {
  const clone = path.join(folder, 'clone');
  cpSync(ROOT, clone, { recursive: true, filter: (file) => !NOT_IN_A_CLONE.has(path.relative(ROOT, file)) });
  const [packages, ...rest] = install.split('\n');
  // The set-up of these tests has just done it.
  expect(packages).toBe('npm ci');
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(clone, 'node_modules'));
  await sh(rest.join('\n'), clone);
  expect(await sh('live-migration-prep --help', workFolder)).toContain('redeliver');
});

it('runs: doctor finds nothing to repair, and a token is delivered', async () => {
  await sh(prepare, workFolder);
  // Port 8080 may be taken here.
  appendFileSync(path.join(workFolder, 'live-migration-prep.yaml'), 'health: { port: 0 }\n');

  // Addresses and secrets are those of this test.
  const lines = check.split('\n').filter((line) => line && !/^(#|export) /.test(line));
  const [doctor = '', worker = '', ...others] = lines;
  expect(others).toEqual([]);
  expect(await sh(doctor, workFolder)).toContain('credential default');
  const [program = '', ...args] = worker.split(' ');
  const running = spawn(program, args, { cwd: workFolder, env, stdio: 'ignore' });
  const ended = once(running, 'exit');
  cleanUpLater(async () => {
    running.kill('SIGTERM');
    await ended;
  });

  expect(await sh(start, workFolder)).toContain('token is in');
  const tokens = path.join(workFolder, 'tokens');
  const [file = ''] = readdirSync(tokens);
  expect(readFileSync(path.join(tokens, file), 'utf8')).toBe(atlas.createdTokens()[0]?.linkToken);
});

it('names the settings of the emulator of npm run atlas', () => {
  const { clientId, clientSecret } = DEFAULTS.serviceAccount;
  expect(emulator.trim().split('\n')).toEqual([
    'export MONGODB_ATLAS_BASE_URL=http://127.0.0.1:4400',
    `export MONGODB_ATLAS_CLIENT_ID=${clientId}`,
    `export MONGODB_ATLAS_CLIENT_SECRET=${clientSecret}`,
  ]);
});

it('start.mjs runs as it stands; later it creates no second token, and takes no other receipt for its own', async () => {
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(workFolder, 'node_modules'));
  const [code = ''] = codeBlocks(README, 'js');
  const node = (program: string) => {
    writeFileSync(path.join(workFolder, 'start.mjs'), program);
    return run(process.execPath, ['start.mjs'], { cwd: workFolder, env, timeout: PROGRAM_TIMEOUT_MS });
  };
  expect((await node(code)).stdout).toMatch(/^file .*link-token/);
  const { length } = atlas.createdTokens();
  for (const again of [code, code.replace("sink: 'drop'", "sink: 'other'")]) {
    await expect(node(again)).rejects.toThrow('WorkflowExecutionAlreadyStartedError');
  }
  expect(atlas.createdTokens()).toHaveLength(length);
});
