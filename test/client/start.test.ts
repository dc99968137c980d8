import { readFileSync } from 'node:fs';
import path from 'node:path';
import { receiptSchema } from '../../src/contract/schemas';
import { objectIn, setScene, type Scene } from '../support/command-line';
import { sharedTemporal } from '../support/setting';

jest.setTimeout(90_000);

const REQUEST = ['--ip', '203.0.113.7', '--sink', 'files'];

let scene: Scene;

beforeAll(async () => {
  scene = await setScene();
  await scene.deployment.startWorker();
}, 60_000);

describe('start', () => {
  it('says how to follow the run, and does not wait', async () => {
    const { workflowId, options } = scene.newTarget();
    expect(await scene.client('start', ...options, ...REQUEST)).toEqual({
      code: 0,
      stdout: `started: ${workflowId}\nfollow it: live-migration-prep watch --workflow-id ${workflowId}\n`,
      stderr: '',
    });
    const { client } = await sharedTemporal();
    expect(await client.workflow.getHandle(workflowId).result()).toMatchObject({ sink: 'files' });
  });

  it('with --wait prints where the token is', async () => {
    const { workflowId, options } = scene.newTarget();
    const { code, stdout, stderr } = await scene.client('start', ...options, ...REQUEST, '--wait');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const created = scene.atlas.createdTokens().at(-1);
    const file = /token is in\s+file (\S+)/.exec(stdout)?.[1] ?? '';
    expect(path.dirname(file)).toBe(scene.deployment.tokensFolder);
    expect(readFileSync(file, 'utf8')).toBe(created?.linkToken);
    expect(stdout).toContain(`started: ${workflowId}\n`);
    expect(stdout).toMatch(/\n {2}unconfirmed\s+0 token\(s\)\n/);
  });

  it('with --json prints one object with the receipt, wherever --json stands', async () => {
    const { workflowId, options } = scene.newTarget();
    const audit = ['--requested-by', 'ana', '--change-reference', 'CHG-1'];
    const exit = await scene.client('start', ...options, ...REQUEST, ...audit, '--wait', '--json');
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    const { receipt, ...others } = objectIn(exit);
    expect(others).toEqual({ workflowId, joined: false });
    expect(receiptSchema.parse(receipt)).toMatchObject({
      accessListIps: ['203.0.113.7'],
      requestedBy: 'ana',
      changeReference: 'CHG-1',
    });
  });

  it("of a run that fails exits with 1, and tells the failure's type and Atlas's reason", async () => {
    scene.atlas.faults([
      { on: 'linkTokens', status: 500 },
      { on: 'linkTokens', status: 403, errorCode: 'ORG_REQUIRES_ACCESS_LIST', detail: 'Not from here.' },
    ]);
    const { code, stderr } = await scene.client('start', ...scene.newTarget().options, ...REQUEST, '--wait');
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /AtlasRequestRejected: Atlas answered 403 ORG_REQUIRES_ACCESS_LIST .*"Not from here\."/,
    );
    expect(stderr).toContain('Atlas may have created 1 token(s) unseen: see docs/runbook.md');
  });

  it('of a run that fails prints with --json its type and details', async () => {
    scene.atlas.faults({ on: 'linkTokens', status: 403, errorCode: 'ORG_REQUIRES_ACCESS_LIST' });
    const options = [...scene.newTarget().options, ...REQUEST, '--wait'];
    const exit = await scene.client('--json', 'start', ...options);
    expect(exit.code).toBe(1);
    expect(objectIn(exit)).toMatchObject({
      type: 'AtlasRequestRejected',
      error: expect.stringContaining('Atlas answered 403') as unknown,
      details: { status: 403, errorCode: 'ORG_REQUIRES_ACCESS_LIST', unconfirmedTokens: 0 },
    });
  });

  it('after a delivery prints its receipt and refuses; --again creates another', async () => {
    const { options } = scene.newTarget();
    const start = ['start', ...options, ...REQUEST];
    const first = objectIn(await scene.client('--json', ...start, '--wait'));

    const second = await scene.client(...start);
    expect(second.code).toBe(1);
    expect(second.stdout).toContain(first.receipt.deliveryId);
    expect(second.stderr).toContain('a token was created and delivered before; for another one, say --again');

    const third = await scene.client('--json', ...start);
    expect(third.code).toBe(1);
    expect(objectIn(third)).toMatchObject({ receipt: first.receipt, refused: 'already delivered' });

    const before = scene.atlas.createdTokens().length;
    const again = objectIn(await scene.client('--json', ...start, '--again', '--wait'));
    expect(again.receipt.deliveryId).not.toBe(first.receipt.deliveryId);
    expect(scene.atlas.createdTokens()).toHaveLength(before + 1);
  });
});

describe('start after a failure without a token', () => {
  it('creates one', async () => {
    const start = ['start', ...scene.newTarget().options, ...REQUEST, '--wait'];
    scene.atlas.faults({ on: 'linkTokens', status: 403 });
    expect(await scene.client(...start)).toMatchObject({ code: 1 });
    expect(await scene.client(...start)).toMatchObject({ code: 0 });
  });
});

describe('start, while a run is under way', () => {
  it('joins it when it was asked for the same, else names each difference; Atlas is asked once', async () => {
    const { atlas, deployment, client, ...others } = await setScene();
    const { workflowId, options } = others.newTarget();
    const start = ['start', ...options];
    await client(...start, '--ip', '203.0.113.7', '--ip', '2001:db8::1', '--sink', 'files');

    const sameInOtherWords = ['--ip', '203.0.113.7', '--ip', '2001:DB8:0::1', '--ip', '203.0.113.7'];
    const joined = await client(...start, ...sameInOtherWords, '--sink', 'files');
    expect(joined).toMatchObject({ code: 0, stderr: '' });
    expect(joined.stdout).toContain(`joined the run under way: ${workflowId}\n`);

    const different = await client(...start, '--ip', '203.0.113.8', '--sink', 'other', '--again');
    expect(different).toMatchObject({ code: 1, stdout: '' });
    expect(different.stderr).toContain(
      [
        '  accessListIps: running ["203.0.113.7","2001:db8::1"], asked ["203.0.113.8"]',
        '  sink: running "files", asked "other"',
        'wait for it to end, or cancel it',
      ].join('\n'),
    );

    await deployment.startWorker();
    const { client: temporal } = await sharedTemporal();
    await temporal.workflow.getHandle(workflowId).result();
    expect(atlas.posts()).toHaveLength(1);
  });
});
