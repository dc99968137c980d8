import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { CLIENT } from '../../support/command-line';
import { runProgram } from '../../support/deployment';
import { newOrgId } from '../../support/ids';
import { deploy, sharedTemporal, startAtlas } from '../../support/installation';
import { objectIn } from '../../support/run-command';

const NOWHERE = embeddedEnv('127.0.0.1:1');

/** Prints, last, the packages and the folders of src/ whose files a command has loaded. */
const LIST_LOADED = `
  process.on('exit', () => {
    const files = Object.keys(require.cache).map((file) => file.replaceAll('\\\\', '/'));
    const names = files.flatMap((file) => /.*\\/(?:node_modules\\/((?:@[^/]+\\/)?[^/]+)|dist\\/([\\w-]+))/.exec(file)?.slice(1) ?? []);
    process.stdout.write('\\n' + JSON.stringify([...new Set(names.filter(Boolean))]) + '\\n');
  });
  process.argv.splice(1, 1, ${JSON.stringify(CLIENT)});
  require(${JSON.stringify(CLIENT)});`;

async function loadedBy(...command: string[]): Promise<string[]> {
  const { stdout } = await runProgram('-e', [LIST_LOADED, '--', 'client', ...command], NOWHERE);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as string[];
}

/** The exit code of a client, and what it writes to standard error. */
async function endOf(child: ChildProcess): Promise<{ code: number; errors: string }> {
  let errors = '';
  child.stderr?.on('data', (text: Buffer) => (errors += text.toString()));
  const [code] = (await once(child, 'close')) as [number];
  return { code, errors };
}

describe('the built client', () => {
  it('runs a command to its end, with its output and exit code', async () => {
    const atlas = await startAtlas();
    const deployment = await deploy({ atlas });
    await deployment.startWorker();
    const { address } = await sharedTemporal();
    const target = ['--org', atlas.account.orgId, '--source-org', newOrgId()];
    const queue = ['--json', '--task-queue', deployment.taskQueue];
    const start = [...queue, 'start', ...target, '--ip', '192.31.196.7', '--sink', 'files', '--wait'];
    const first = await runProgram(CLIENT, start, embeddedEnv(address));
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(objectIn(first).receipt.sink).toBe('files');
    const second = await runProgram(CLIENT, start, embeddedEnv(address));
    expect(second.code).toBe(6);
    expect(objectIn(second)).toMatchObject({ refused: 'delivered' });
  });

  it('exits with 130 on Ctrl-C, and says how to follow the run', async () => {
    const { address } = await sharedTemporal();
    const args = [
      '--task-queue',
      newOrgId(),
      'start',
      '--org',
      newOrgId(),
      '--no-access-list',
      '--sink',
      'x',
    ];
    const child = spawn(process.execPath, [CLIENT, ...args, '--wait'], { env: embeddedEnv(address) });
    let output = '';
    child.stdout.on('data', (text: Buffer) => {
      output += text.toString();
      if (output.includes('waiting for a worker')) child.kill('SIGINT');
    });
    const { code, errors } = await endOf(child);
    expect(code).toBe(130);
    expect(errors).toMatch(
      /^live-migration-prep: interrupted\nthe run goes on; follow it: live-migration-prep watch /,
    );
  });

  const help = (stdout: 'pipe' | number) =>
    spawn(process.execPath, [CLIENT, '--help'], { env: NOWHERE, stdio: ['ignore', stdout, 'pipe'] });

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

  it('loads neither the Temporal client nor zod for help and usage errors', async () => {
    for (const command of [['--help'], ['start', '--help'], ['strat']]) {
      const loaded = await loadedBy(...command);
      expect(loaded).toContain('commander');
      expect(loaded.filter((name) => name.startsWith('@temporalio') || name === 'zod')).toEqual([]);
    }
  });

  it.each([
    ['watch', '--org', newOrgId()],
    ['start', '--org', newOrgId(), '--ip', '192.31.196.7', '--sink', 'files'],
    ['recover', '--org', newOrgId(), '--run-id', randomUUID()],
    ['list', '--undelivered'],
  ])('loads nothing that only a worker needs for %s', async (...command) => {
    const loaded = await loadedBy(...command);
    expect(loaded).toContain('@temporalio/client');
    const ofWorkers =
      /^(@aws-sdk\/.*|@temporalio\/(worker|activity|workflow)|jose|undici|yaml|pino|config|sinks|atlas|activities|workflows|sealing)$/;
    expect(loaded.filter((name) => ofWorkers.test(name))).toEqual([]);
  });
});
