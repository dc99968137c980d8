import { mkdirSync, rmdirSync } from 'node:fs';
import { objectIn, setScene, type Scene, type Target } from '../support/command-line';
import { eventually } from '../support/eventually';
import { sharedTemporal } from '../support/setting';

jest.setTimeout(90_000);

const on = 'linkTokens';
const REQUEST = ['--ip', '203.0.113.7', '--sink', 'files'];

let scene: Scene;

beforeAll(async () => {
  scene = await setScene();
  await scene.deployment.startWorker();
}, 60_000);

async function start(): Promise<Target> {
  const target = scene.newTarget();
  expect(await scene.client('start', ...target.options, ...REQUEST)).toMatchObject({ code: 0 });
  return target;
}

describe('watch', () => {
  it('tells each step, the attempt and the last failure, and ends with the receipt', async () => {
    const { atlas, deployment } = scene;
    atlas.faults({ on, status: 503, times: 10_000 });
    rmdirSync(deployment.tokensFolder);
    const { options } = await start();
    const watch = scene.follow('watch', ...options);
    await eventually('a failed attempt at Atlas', () =>
      /^\S+Z creating, attempt \d+; last failure: Atlas answered 503 /m.test(watch.output()),
    );
    atlas.clearFaults();
    await eventually('a failed attempt at the sink', () =>
      /^\S+Z delivering, attempt \d+; last failure: the sink's directory .* \(ENOENT\)/m.test(watch.output()),
    );
    mkdirSync(deployment.tokensFolder);
    expect(await watch.exited).toEqual({ code: 0, signal: null });
    expect(watch.output()).toMatch(/^\S+Z delivered\n {2}organization /m);
    expect(watch.output()).toContain(`token is in   file ${deployment.tokensFolder}`);
  });

  it('ends with 1 and the failure of a run that fails', async () => {
    scene.atlas.faults({ on, status: 503, times: 10_000 });
    const { options } = await start();
    const watch = scene.follow('watch', ...options);
    await eventually('the first line', () => watch.output().includes('creating, attempt'));
    scene.atlas.clearFaults();
    scene.atlas.faults({ on, status: 403, errorCode: 'ORG_REQUIRES_ACCESS_LIST' });
    expect(await watch.exited).toEqual({ code: 1, signal: null });
    expect(watch.output()).toMatch(/^live-migration-prep: AtlasRequestRejected: Atlas answered 403 /m);

    const afterwards = await scene.client('--json', 'watch', ...options);
    expect(afterwards.code).toBe(1);
    expect(objectIn(afterwards)).toMatchObject({ type: 'AtlasRequestRejected', details: { status: 403 } });
  });
});

describe('cancel', () => {
  it('stops a run, whose watcher is told; a second time there is nothing to stop', async () => {
    scene.atlas.faults({ on, status: 503, times: 10_000 });
    const { workflowId, options } = await start();
    const watch = scene.follow('watch', '--workflow-id', workflowId);
    const cancel = await scene.client('cancel', ...options);
    expect(cancel).toMatchObject({ code: 0, stderr: '' });
    expect(cancel.stdout).toContain(`asked ${workflowId} to stop`);
    expect(await watch.exited).toEqual({ code: 1, signal: null });
    expect(watch.output()).toContain('live-migration-prep: the run was cancelled\n');
    scene.atlas.clearFaults();

    const { client } = await sharedTemporal();
    expect((await client.workflow.getHandle(workflowId).describe()).status.name).toBe('CANCELLED');
    const again = await scene.client('--json', 'cancel', ...options);
    expect(again.code).toBe(1);
    expect(objectIn(again)).toEqual({
      error: `${workflowId} has ended (CANCELLED): there is nothing to stop`,
    });
  });
});

describe.each(['watch', 'cancel', 'redeliver'])('%s', (command) => {
  it('of a run that Temporal does not know says so', async () => {
    const { workflowId, options } = scene.newTarget();
    const exit = await scene.client('--json', command, ...options);
    expect(exit.code).toBe(1);
    expect(objectIn(exit)).toEqual({
      error: `Temporal knows no run ${workflowId}: it never ran here, or is past the namespace's retention`,
    });
  });
});
