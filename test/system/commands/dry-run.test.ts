import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { cleanUpLater } from '../../support/clean-up';
import { setScene, type Scene } from '../../support/command-line';
import { newOrgId } from '../../support/ids';
import { objectIn, run } from '../../support/run-command';
import { serveRejectingGrpcProxy } from '../../support/servers';
import { deploy, sharedTemporal } from '../../support/setting';

const REQUEST = ['--ip', '192.31.196.7', '--sink', 'files'];

let scene: Scene;

beforeAll(async () => {
  scene = await setScene();
  await scene.deployment.startWorker();
}, 60_000);

describe('start --dry-run', () => {
  it('prints what a run would do with a private address, and starts nothing', async () => {
    const { workflowId, options } = scene.newTarget();
    const exit = await scene.client('start', ...options, ...REQUEST, '--ip', '10.0.0.1', '--dry-run');
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    expect(exit.stdout.trim().split('\n')).toEqual([
      `nothing was started; start would start ${workflowId}`,
      '  credential      default',
      '  access list     192.31.196.7, 10.0.0.1',
      '  sink            files',
      expect.stringMatching(
        /^ {2}warning {9}accessListIps\[1\] "10\.0\.0\.1" includes 10\.0\.0\.0\/8 \(private, RFC 1918\):/,
      ),
      expect.stringMatching(/^ok {8}sealing keys: /),
      'ok        credential default: accepted by Atlas',
      `ok        organization ${scene.atlas.account.orgId}: visible to credential default`,
      expect.stringMatching(/^ok {8}sink files: /),
    ]);
    const { client } = await sharedTemporal();
    await expect(client.workflow.getHandle(workflowId).describe()).rejects.toThrow(/not found/i);
    expect(scene.atlas.requestsOn('linkTokens')).toEqual([]);
  });

  it('names every problem of the request with --json, too', async () => {
    const [, , ...sourceOrg] = scene.newTarget().options;
    const request = ['--org', newOrgId(), ...sourceOrg, '--ip', '192.31.196.7', '--sink', 'nowhere'];
    const exit = await scene.client('start', ...request, '--dry-run', '--json');
    expect(exit.code).toBe(1);
    expect(exit.stderr).toMatch(
      /^live-migration-prep: nothing was started: the request has 2 problem\(s\)\n {2}sink "nowhere" is not a sink of this organization: write one of files\n {2}orgId is not visible to credential default/,
    );
    expect(objectIn(exit)).toMatchObject({
      type: 'InvalidRequest',
      request: null,
      fields: [{ field: 'sink' }, { field: 'orgId' }],
    });
    expect(scene.atlas.requestsOn('linkTokens')).toEqual([]);
  });

  it('says what start would refuse', async () => {
    const { options } = scene.newTarget();
    await scene.client('start', ...options, ...REQUEST, '--wait');
    const posts = scene.atlas.requestsOn('linkTokens').length;
    const refused = await scene.client('start', ...options, ...REQUEST);
    const { code, stderr } = await scene.client('start', ...options, ...REQUEST, '--dry-run');
    expect({ code, stderr }).toEqual({ code: 6, stderr: refused.stderr });
    expect(scene.atlas.requestsOn('linkTokens')).toHaveLength(posts);
  });
});

it('list, start --dry-run and doctor --remote need no permission to describe the namespace or a task queue', async () => {
  const { address } = await sharedTemporal();
  const PERMISSION_DENIED = 7;
  const denied = /\/Describe(Namespace|TaskQueue)$/;
  const proxy = await serveRejectingGrpcProxy(Number(address.split(':')[1]), denied, PERMISSION_DENIED);
  cleanUpLater(() => proxy.close());
  const { taskQueue } = scene.deployment;
  for (const command of [
    ['list'],
    ['start', ...scene.newTarget().options, ...REQUEST, '--dry-run'],
    ['doctor', '--remote'],
  ]) {
    const exit = await run(['--task-queue', taskQueue, ...command], embeddedEnv(`127.0.0.1:${proxy.port}`));
    expect({ ...exit, command }).toMatchObject({
      code: 0,
      stderr: expect.not.stringContaining('live-migration-prep:') as unknown,
    });
  }
});

it('start and watch say that no worker polls the task queue, and the run goes on when one starts', async () => {
  const deployment = await deploy({ atlas: scene.atlas });
  const { options } = scene.newTarget();
  const line = `no worker polls task queue ${deployment.taskQueue}: start one, or correct --task-queue`;
  const started = await deployment.runClient('start', ...options, ...REQUEST);
  expect(started).toMatchObject({ code: 0, stdout: expect.stringContaining(`\n${line}\n`) as unknown });
  const watching = deployment.runClient('--timeout', '50s', 'watch', ...options);
  await deployment.startWorker();
  const { code, stdout } = await watching;
  expect(stdout).toContain(line);
  expect(code).toBe(0);
});
