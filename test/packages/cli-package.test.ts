import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { devServerEnv } from '../../dev/temporal/dev-server-env';
import { newFolder } from '../support/clean-up';
import { startSystem } from '../support/installation';
import { ROOT, codeBlocks, page, sectionBelow } from '../support/markdown';
import { runToEnd } from '../support/run-command';
import { sharedTemporal } from '../support/temporal';

const prefix = newFolder();
const program = path.join(prefix, 'bin/live-migration-prep');

/** Installs by the command of README, with the package in a folder of this test. */
beforeAll(() => {
  const install = codeBlocks(sectionBelow(page('README.md'), 'Install'), 'sh').at(-1) ?? '';
  expect(install).toMatch(/^npm install --global .*pack:cli/);
  const script = install.replace('pack:cli', `pack:cli "${newFolder()}"`);
  const env = { ...process.env, npm_config_prefix: prefix };
  execFileSync('bash', ['-euo', 'pipefail', '-c', script], { cwd: ROOT, env, stdio: 'pipe' });
});

it('the package of the command line has no worker, and starts and follows runs', async () => {
  const modules = path.join(prefix, 'lib/node_modules/live-migration-prep-cli/node_modules');
  expect(existsSync(path.join(modules, '@temporalio/client'))).toBe(true);
  for (const name of ['@temporalio/worker', '@temporalio/core-bridge', '@aws-sdk']) {
    expect(existsSync(path.join(modules, name))).toBe(false);
  }
  const { installation } = await startSystem();
  const { address } = await sharedTemporal();
  const { orgId, sourceOrgId } = installation.newRequest();
  const run = (...args: string[]) =>
    runToEnd(program, ['--task-queue', installation.taskQueue, ...args], devServerEnv(address));
  const target = ['--org', orgId, '--source-org', String(sourceOrgId)];
  const started = await run('start', ...target, '--no-access-list', '--sink', 'files', '--wait');
  expect(started).toMatchObject({ code: 0 });
  expect(started.stdout).toMatch(/^delivered /);
  expect((await run('list', '--org', orgId, '--details')).stdout).toContain('delivered');
});

it.each([
  [['doctor', '--remote', '--help'], 'Usage: live-migration-prep doctor'],
  [['sealing-keys', '--file', path.join(prefix, 'keys.json')], 'wrote '],
])('the package runs %j', async (args, output) => {
  const { code, stdout } = await runToEnd(program, args, process.env);
  expect(code).toBe(0);
  expect(stdout).toContain(output);
});
