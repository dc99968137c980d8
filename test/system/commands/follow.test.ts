import { mkdirSync, rmdirSync } from 'node:fs';
import type { Client } from '@temporalio/client';
import { WITH_BLOCKED_SINK, blockSink, type BlockedSink } from '../../support/blocked-sink';
import { setScene, type Scene, type Target } from '../../support/command-line';
import { eventually } from '../../support/eventually';
import { objectIn } from '../../support/run-command';
import { sharedTemporal } from '../../support/setting';

const on = 'linkTokens';
const REQUEST = ['--ip', '192.31.196.7', '--sink', 'files'];
const TO_BLOCKED = ['--ip', '192.31.196.7', '--sink', 'blocked'];

let scene: Scene;
let blocked: BlockedSink;
let client: Client;

beforeAll(async () => {
  scene = await setScene(WITH_BLOCKED_SINK);
  blocked = blockSink(scene.deployment);
  ({ client } = await sharedTemporal());
  await scene.deployment.startWorker();
});

async function start(request = REQUEST): Promise<Target> {
  const target = scene.newTarget();
  expect(await scene.client('start', ...target.options, ...request)).toMatchObject({ code: 0 });
  return target;
}

async function undelivered(): Promise<Target> {
  blocked.block();
  const target = scene.newTarget();
  expect(await scene.client('start', ...target.options, ...TO_BLOCKED, '--wait')).toMatchObject({ code: 5 });
  return target;
}

describe('watch', () => {
  it('prints each step, the attempt and the last failure, and ends with the receipt', async () => {
    const { atlas, deployment } = scene;
    atlas.faults({ on, status: 429, times: 10_000 });
    rmdirSync(deployment.tokensFolder);
    const { options } = await start();
    const watch = scene.follow('watch', ...options);
    await eventually('a failed attempt at Atlas', () =>
      /^\S+Z creating, attempt \d+; last failure: Atlas returned 429 /m.test(watch.output()),
    );
    atlas.clearFaults();
    await eventually('a failed attempt at the sink', () =>
      /^\S+Z delivering, attempt \d+; last failure: the directory .* of the sink .*\(ENOENT\)/m.test(
        watch.output(),
      ),
    );
    mkdirSync(deployment.tokensFolder);
    expect(await watch.exited).toMatchObject({ code: 0, stderr: '' });
    expect(watch.output()).toMatch(/^\S+Z delivered\n {2}organization /m);
    expect(watch.output()).toMatch(new RegExp(`token is in +file ${deployment.tokensFolder}`));
  });

  it('while the workflow waits after an attempt that may have created a token says why, and until when', async () => {
    scene.atlas.faults({ on, status: 503, headers: { 'retry-after': '600' }, times: 10_000 });
    const { options, workflowId } = await start();
    const watch = scene.follow('watch', ...options);
    await eventually('the reason', () =>
      /^\S+Z creating: Atlas returned 503 .*; Atlas may have created a token .*; next try at \d{4}/m.test(
        watch.output(),
      ),
    );
    scene.atlas.clearFaults();
    await client.workflow.getHandle(workflowId).cancel();
    const { code, stderr } = await watch.exited;
    expect(code).toBe(7);
    expect(stderr).toMatch(/^live-migration-prep: Cancelled: .*Atlas may have created 1 token\(s\)/m);

    // The old one sends nothing more with this credential until `Retry-After` ends.
    await scene.deployment.workers.at(-1)?.stop();
    await scene.deployment.startWorker();
  });

  it('ends with 1 and the failure of a run that fails', async () => {
    scene.atlas.faults({ on, status: 429, times: 10_000 });
    const { options } = await start();
    const watch = scene.follow('watch', ...options);
    await eventually('the first line', () => watch.output().includes('creating, attempt'));
    scene.atlas.clearFaults();
    scene.atlas.faults({ on, status: 403, errorCode: 'ORG_REQUIRES_ACCESS_LIST' });
    const { code, stderr } = await watch.exited;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^live-migration-prep: AtlasRequestRejected: Atlas returned 403 /m);

    const afterwards = await scene.client('--json', 'watch', ...options);
    expect(afterwards.code).toBe(1);
    expect(objectIn(afterwards)).toMatchObject({ type: 'AtlasRequestRejected', details: { status: 403 } });
  });

  it('ends with 5 when the run is undelivered: the reason, the next try, the command that helps', async () => {
    blocked.block();
    const { workflowId, options } = await start(TO_BLOCKED);
    const { code, stderr } = await scene.client('watch', ...options);
    expect(code).toBe(5);
    expect(stderr).toMatch(/^live-migration-prep: SinkRejected: .*is not a directory/);
    expect(stderr).toContain(`live-migration-prep redeliver ${options.join(' ')}`);
    expect(stderr).toMatch(/\nthe token is kept, encrypted, and the run goes on; next try at \d{4}-\S+Z\n$/);
    expect((await client.workflow.getHandle(workflowId).describe()).status.name).toBe('RUNNING');

    const json = await scene.client('--json', 'watch', ...options);
    expect(json.code).toBe(5);
    expect(objectIn(json)).toMatchObject({
      workflowId,
      type: 'SinkRejected',
      status: { step: 'undelivered', unconfirmedTokens: 0, deliveryId: expect.any(String) as unknown },
    });
  });

  it('of a terminated run says what to do with its token', async () => {
    const { workflowId, options } = await undelivered();
    await client.workflow.getHandle(workflowId).terminate('\u001b[31mby mistake');
    const { code, stderr } = await scene.client('watch', ...options);
    expect(code).toBe(1);
    expect(stderr).toContain(String.raw`the run was terminated: \u001b[31mby mistake`);
    expect(stderr).toContain(`redeliver ${options.join(' ')} --run-id`);
  });
});

describe('cancel', () => {
  it('of a run that created nothing: watch ends with 7; a second time there is nothing to cancel', async () => {
    scene.atlas.faults({ on, status: 429, times: 10_000 });
    const { workflowId, options } = await start();
    const watch = scene.follow('watch', '--workflow-id', workflowId);
    await eventually('the first line', () => watch.output().includes('creating, attempt'));
    const cancel = await scene.client('cancel', ...options);
    expect(cancel).toMatchObject({ code: 0, stderr: '' });
    expect(cancel.stdout).toContain(`requested cancellation of ${workflowId}\n`);
    expect(cancel.stdout).toContain('a token that arrives gets one delivery attempt\n');
    expect(await watch.exited).toMatchObject({
      code: 7,
      stderr: 'live-migration-prep: the run was cancelled; no token was created\n',
    });
    scene.atlas.clearFaults();

    expect((await client.workflow.getHandle(workflowId).describe()).status.name).toBe('CANCELLED');
    const again = await scene.client('--json', 'cancel', ...options);
    expect(again.code).toBe(1);
    expect(objectIn(again)).toMatchObject({
      error: `${workflowId} has ended (CANCELLED): there is nothing to cancel`,
      status: 'CANCELLED',
    });
  });

  it('of an undelivered run: watch ends with 7, and prints what may be left', async () => {
    const { workflowId, options } = await undelivered();
    const { runId } = await client.workflow.getHandle(workflowId).describe();
    expect(await scene.client('cancel', ...options)).toMatchObject({ code: 0 });
    const { code, stderr } = await scene.client('watch', ...options);
    expect(code).toBe(7);
    expect(stderr).toMatch(
      /^live-migration-prep: Cancelled: .*token [\da-f-]{36} is not confirmed as delivered/,
    );
    expect(stderr).toContain(`live-migration-prep redeliver ${options.join(' ')} --run-id ${runId}`);

    const json = await scene.client('--json', 'watch', ...options);
    expect(objectIn(json)).toMatchObject({
      type: 'Cancelled',
      details: {
        unconfirmedTokens: 0,
        deliveryId: expect.any(String) as unknown,
        tokenSha256: expect.any(String) as unknown,
        sinksTried: expect.any(Array) as unknown,
      },
    });
  });

  it('ends a start --wait with 7', async () => {
    scene.atlas.faults({ on, status: 429, times: 10_000 });
    const { options } = scene.newTarget();
    const waiting = scene.follow('start', ...options, ...REQUEST, '--wait');
    await eventually('a request', () => scene.atlas.posts().some(({ status }) => status === 429));
    await eventually('the run', async () => (await scene.client('cancel', ...options)).code === 0);
    expect(await waiting.exited).toMatchObject({ code: 7 });
    scene.atlas.clearFaults();
  });
});

describe.each(['watch', 'cancel', 'redeliver'])('%s', (command) => {
  it('of a run that Temporal does not know says so', async () => {
    const { workflowId, options } = scene.newTarget();
    const exit = await scene.client('--json', command, ...options);
    expect(exit.code).toBe(1);
    expect(objectIn(exit)).toEqual({
      error: `Temporal knows no run ${workflowId}: it never ran in this namespace, or the retention period has ended`,
    });
  });
});

it('watch of an undelivered run whose workers are gone says so', async () => {
  blocked.block();
  const { options } = scene.newTarget();
  await scene.client('start', ...options, ...TO_BLOCKED, '--wait');
  await scene.deployment.workers.at(-1)?.stop();
  const { code, stderr } = await scene.client('watch', ...options);
  expect(code).toBe(5);
  expect(stderr).toContain('undelivered: no worker responds, so the reason is in the history only');
  expect(stderr).toContain(`after repairing the sink: live-migration-prep redeliver ${options.join(' ')}`);
});
