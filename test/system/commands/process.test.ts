import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { devServerEnv } from '../../../dev/temporal/dev-server-env';
import { newOrgId } from '../../support/ids';
import { matchesIn } from '../../support/markdown';
import { NOWHERE } from '../../support/run-command';
import { sharedTemporal } from '../../support/temporal';

const DIST = path.join(__dirname, '../../../dist');
const CLIENT = path.join(DIST, 'client.js');
const UNREACHABLE = 'http://127.0.0.1:1';
const REQUEST = ['--org', newOrgId(), '--no-access-list', '--sink', 'files'];

function startClient(
  args: string[],
  env = NOWHERE,
  stdout: 'pipe' | number = 'pipe',
): ChildProcess {
  return spawn(process.execPath, [CLIENT, ...args], { env, stdio: ['ignore', stdout, 'pipe'] });
}

/** The exit code of a client, and what it writes to standard error. */
async function endOf(child: ChildProcess) {
  const errors = text(child.stderr as Readable);
  const [code] = (await once(child, 'close')) as [number];
  return { code, errors: await errors };
}

/** Runs commands at once. Returns the files that Node loads for them. */
async function filesLoadedBy(...commands: string[][]): Promise<string[]> {
  const env = { ...NOWHERE, NODE_DEBUG: 'module' };
  const ends = await Promise.all(commands.map((args) => endOf(startClient(args, env))));
  const files = ends.flatMap(({ errors }) => matchesIn(errors, /"(\/[^"]+\.c?js)"/g));
  return [...new Set(files)];
}

const OF_HELP = [
  /\/node_modules\/(commander|@commander-js\/extra-typings)\//,
  /\/dist\/(\w+|(commands|commands\/cli|contract|shared)\/[\w-]+)\.js$/,
];
const OF_WORKER = [
  /\/node_modules\/(@aws-sdk|@temporalio\/(worker|activity|workflow)|jose|undici|yaml|pino)\//,
  /\/dist\/(config|sinks|atlas|activities|workflows|secrets)\//,
];
const isOneOf = (patterns: RegExp[]) => (file: string) =>
  patterns.some((pattern) => pattern.test(file));

it.each(['client', 'worker'])('the built %s names the Node.js that it needs', async (name) => {
  // As a Node.js from before it could require ES modules.
  const args = ['--no-experimental-require-module', path.join(DIST, `${name}.js`)];
  const child = spawn(process.execPath, args, { env: NOWHERE, stdio: ['ignore', 'pipe', 'pipe'] });
  expect(await endOf(child)).toEqual({
    code: 1,
    errors: expect.stringMatching(/^live-migration-prep needs Node.js 22.12 .*: this is v/),
  });
});

describe('the built client', () => {
  it('exits with 130 on Ctrl-C, and says how to follow the run', async () => {
    const { address } = await sharedTemporal();
    const args = ['--task-queue', newOrgId(), 'start', ...REQUEST, '--wait'];
    const child = startClient(args, devServerEnv(address));
    // For whatever reason it waits: with another one, this test fails and does not hang.
    child.stderr?.on('data', (printed: Buffer) => {
      if (printed.includes('waiting (')) child.kill('SIGINT');
    });
    expect(await endOf(child)).toEqual({
      code: 130,
      errors: expect.stringMatching(
        /^waiting \(its workflow task is in the task queue, .*\nlive-migration-prep: interrupted\nif a run was started, it goes on; follow it: live-migration-prep watch /m,
      ),
    });
  });

  it('ignores the proxies of environment variables for Temporal, as a worker does', async () => {
    const { address } = await sharedTemporal();
    const proxies = { grpc_proxy: UNREACHABLE, https_proxy: UNREACHABLE, http_proxy: UNREACHABLE };
    const child = startClient(['list', '--task-queue', newOrgId()], {
      ...devServerEnv(address),
      ...proxies,
    });
    expect(await endOf(child)).toEqual({
      code: 0,
      errors: expect.stringMatching(/^note: the list may lag/),
    });
  });

  it('keeps its exit code when nobody reads its output', async () => {
    const child = startClient(['--help']);
    child.stdout?.destroy();
    expect(await endOf(child)).toEqual({ code: 0, errors: '' });
  });

  it('exits with 1, and says so, when its output cannot be written', async () => {
    const full = openSync('/dev/full', 'w');
    expect(await endOf(startClient(['--help'], NOWHERE, full))).toEqual({
      code: 1,
      errors: 'live-migration-prep: its output could not be written (ENOSPC)\n',
    });
    closeSync(full);
  });

  it('loads only commander and the options of commands for help', async () => {
    const files = await filesLoadedBy(['--help'], ['start', '--help'], ['strat']);
    const isOfHelp = isOneOf(OF_HELP);
    expect(files.filter((file) => !isOfHelp(file))).toEqual([]);
    expect(files).toContainEqual(expect.stringMatching(/\/dist\/commands\/doctor\.js$/));
    expect(files).toContainEqual(expect.stringMatching(/\/node_modules\/commander\//));
  });

  it('loads nothing of a worker for commands that use Temporal', async () => {
    const watch = ['watch', newOrgId()];
    const files = await filesLoadedBy(['start', ...REQUEST], watch, ['list', '--undelivered']);
    expect(files.filter(isOneOf(OF_WORKER))).toEqual([]);
    expect(files).toContainEqual(expect.stringMatching(/\/node_modules\/@temporalio\/client\//));
  });
});
