import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { CLIENT } from '../../support/command-line';
import { newOrgId } from '../../support/ids';
import { runProgram } from '../../support/run-command';
import { sharedTemporal } from '../../support/temporal';

const NOWHERE = embeddedEnv('127.0.0.1:1');
const PROGRAM = path.join(path.dirname(CLIENT), 'commands/program.js');
const REQUEST = ['--org', newOrgId(), '--no-access-list', '--sink', 'files'];

/** Runs commands at once in a process of their own. Returns the paths of the files that are loaded then. */
async function filesLoadedBy(...commands: string[][]): Promise<string> {
  const script = `
    const { runProgram } = require(process.argv[1]);
    const nowhere = { write() {} };
    const io = { env: process.env, stdout: nowhere, stderr: nowhere };
    Promise.all(JSON.parse(process.argv[2]).map((command) => runProgram(io, command))).then(() => {
      console.log(Object.keys(require.cache).join('\\n'));
      process.exit();
    });`;
  return (await runProgram('-e', [script, PROGRAM, JSON.stringify(commands)], NOWHERE)).stdout;
}

/** The exit code of a client, and what it writes to standard error. */
async function endOf(child: ChildProcess): Promise<{ code: number; errors: string }> {
  let errors = '';
  child.stderr?.on('data', (text: Buffer) => (errors += text.toString()));
  const [code] = (await once(child, 'close')) as [number];
  return { code, errors };
}

const help = (stdout: 'pipe' | number) =>
  spawn(process.execPath, [CLIENT, '--help'], { env: NOWHERE, stdio: ['ignore', stdout, 'pipe'] });

describe('the built client', () => {
  it('exits with 130 on Ctrl-C, and says how to follow the run', async () => {
    const { address } = await sharedTemporal();
    const args = ['--task-queue', newOrgId(), 'start', ...REQUEST, '--wait'];
    const child = spawn(process.execPath, [CLIENT, ...args], { env: embeddedEnv(address) });
    let output = '';
    child.stdout.on('data', (text: Buffer) => {
      output += text.toString();
      if (output.includes('waiting for a worker')) child.kill('SIGINT');
    });
    expect(await endOf(child)).toEqual({
      code: 130,
      errors: expect.stringMatching(
        /^live-migration-prep: interrupted\nthe run goes on; follow it: live-migration-prep watch /,
      ),
    });
  });

  it('keeps its exit code when nobody reads its output', async () => {
    const child = help('pipe');
    child.stdout?.destroy();
    expect(await endOf(child)).toEqual({ code: 0, errors: '' });
  });

  it('exits with 1, and says so, when its output cannot be written', async () => {
    const full = openSync('/dev/full', 'w');
    expect(await endOf(help(full))).toEqual({
      code: 1,
      errors: 'live-migration-prep: its output could not be written (ENOSPC)\n',
    });
    closeSync(full);
  });

  it('loads no Temporal client and no zod for help, and nothing of a worker for commands', async () => {
    const forHelp = await filesLoadedBy(['--help'], ['start', '--help'], ['strat']);
    expect(forHelp).toMatch(/\/node_modules\/commander\//);
    expect(forHelp).not.toMatch(/\/node_modules\/(@temporalio|zod)\//);
    const forCommands = await filesLoadedBy(
      ['watch', '--org', newOrgId()],
      ['start', ...REQUEST],
      ['recover', '--org', newOrgId(), '--run-id', randomUUID()],
      ['list', '--undelivered'],
    );
    expect(forCommands).toMatch(/\/node_modules\/@temporalio\/client\//);
    expect(forCommands).not.toMatch(
      /\/node_modules\/(@aws-sdk|@temporalio\/(worker|activity|workflow)|jose|undici|yaml|pino)\/|\/dist\/(config|sinks|atlas|activities|workflows|secrets)\//,
    );
  });
});
