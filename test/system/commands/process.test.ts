import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { devServerEnv } from '../../../dev/temporal/dev-server-env';
import { newOrgId } from '../../support/ids';
import { NOWHERE } from '../../support/run-command';
import { sharedTemporal } from '../../support/temporal';

const CLIENT = path.join(__dirname, '../../../dist/client.js');
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

/** Runs commands at once. Returns what Node says of each file that it loads for them. */
async function filesLoadedBy(...commands: string[][]): Promise<string> {
  const env = { ...NOWHERE, NODE_DEBUG: 'module' };
  const ends = await Promise.all(commands.map((args) => endOf(startClient(args, env))));
  return ends.map(({ errors }) => errors).join('');
}

describe('the built client', () => {
  it('exits with 130 on Ctrl-C, and says how to follow the run', async () => {
    const { address } = await sharedTemporal();
    const args = ['--task-queue', newOrgId(), 'start', ...REQUEST, '--wait'];
    const child = startClient(args, devServerEnv(address));
    child.stdout?.on('data', (printed: Buffer) => {
      if (printed.includes('waiting for a worker')) child.kill('SIGINT');
    });
    expect(await endOf(child)).toEqual({
      code: 130,
      errors: expect.stringMatching(
        /^live-migration-prep: interrupted\nthe run goes on; follow it: live-migration-prep watch /,
      ),
    });
  });

  it('reaches Temporal past the proxies that environment variables name, as a worker does', async () => {
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

  it('loads no Temporal client and no zod for help, and nothing of a worker for commands', async () => {
    const forHelp = await filesLoadedBy(['--help'], ['start', '--help'], ['strat']);
    expect(forHelp).toMatch(/\/node_modules\/commander\//);
    expect(forHelp).not.toMatch(/\/node_modules\/(@temporalio|zod)\//);
    const recover = ['recover', '--org', newOrgId(), '--run-id', randomUUID()];
    const forCommands = await filesLoadedBy(['start', ...REQUEST], recover, [
      'list',
      '--undelivered',
    ]);
    expect(forCommands).toMatch(/\/node_modules\/@temporalio\/client\//);
    expect(forCommands).not.toMatch(
      /\/node_modules\/(@aws-sdk|@temporalio\/(worker|activity|workflow)|jose|undici|yaml|pino)\//,
    );
    expect(forCommands).not.toMatch(/\/dist\/(config|sinks|atlas|activities|workflows|secrets)\//);
  });
});
