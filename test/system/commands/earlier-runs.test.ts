import type { Client } from '@temporalio/client';
import { createOutput } from '../../../src/commands/cli/output';
import { createStop } from '../../../src/commands/cli/stop';
import { start } from '../../../src/commands/runs/start';
import type { BlockedSink } from '../../support/blocked-sink';
import {
  TO_BLOCKED,
  TO_FILES,
  createBlockedFixture,
  type BlockedFixture,
  type Target,
} from '../../support/command-line';
import { end } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { startForeignRun } from '../../support/foreign-run';
import { untilListed } from '../../support/installation';
import { objectIn } from '../../support/run-command';

const on = 'linkTokens';

let fixture: BlockedFixture;
let blocked: BlockedSink;
let client: Client;

beforeAll(async () => {
  fixture = await createBlockedFixture();
  ({ blocked, temporal: client } = fixture);
});

const posts = () => fixture.atlas.posts().length;

async function delivered(): Promise<Target> {
  const target = fixture.newTarget();
  expect(await fixture.client('start', ...target.options, ...TO_FILES, '--wait')).toMatchObject({ code: 0 });
  return target;
}

describe('start refuses with 6, and Atlas is not called, after', () => {
  it('a delivery: it prints the receipt; --again creates another token', async () => {
    const { workflowId, options } = await delivered();
    const before = posts();
    const { deliveryId } = (await client.workflow.getHandle(workflowId).result()) as { deliveryId: string };

    const refused = await fixture.client('start', ...options, ...TO_FILES);
    expect(refused.code).toBe(6);
    expect(refused.stderr).toContain(deliveryId);
    expect(refused.stderr).toMatch(
      /run \S+ delivered a token for these organizations: it is in file .*--again/,
    );

    const json = await fixture.client('--json', 'start', ...options, ...TO_FILES, '--wait');
    expect(json.code).toBe(6);
    expect(objectIn(json)).toMatchObject({ workflowId, refused: 'delivered', receipt: { deliveryId } });
    expect(posts()).toBe(before);

    const again = await fixture.client('--json', 'start', ...options, ...TO_FILES, '--again', '--wait');
    expect(objectIn(again).receipt.deliveryId).not.toBe(deliveryId);
    expect(posts()).toBe(before + 1);
  });

  it.each([
    ['failed', () => fixture.atlas.faults({ on, status: 403 })],
    ['was rejected', () => undefined],
  ])('a delivery that a later run followed, started with --again, which %s', async (how, prepare) => {
    const { workflowId, options } = await delivered();
    prepare();
    const later = how === 'failed' ? TO_FILES : ['--ip', '192.31.196.7', '--sink', 'nowhere'];
    expect(await fixture.client('start', ...options, ...later, '--again', '--wait')).toMatchObject({
      code: 1,
    });
    await untilListed(`WorkflowId = '${workflowId}'`, 2);
    const before = posts();
    for (const wait of [[], ['--wait']]) {
      const exit = await fixture.client('--json', 'start', ...options, ...TO_FILES, ...wait);
      expect(exit.code).toBe(6);
      expect(objectIn(exit)).toMatchObject({ refused: 'delivered' });
    }
    expect(posts()).toBe(before);
  });

  it.each(['cancel', 'terminate'] as const)('a %s with a recoverable token, naming the run', async (how) => {
    const { workflowId, options, runId } = await fixture.endedWithToken(how);
    const before = posts();
    for (const wait of [[], ['--wait']]) {
      const exit = await fixture.client('start', ...options, ...TO_BLOCKED, ...wait);
      expect(exit).toMatchObject({ code: 6, stdout: '' });
      expect(exit.stderr).toContain(`live-migration-prep recover ${options.join(' ')} --run-id ${runId}`);
    }
    const json = await fixture.client('--json', 'start', ...options, ...TO_BLOCKED);
    expect(objectIn(json)).toMatchObject({ workflowId, runId, refused: 'recoverable' });
    expect(posts()).toBe(before);
  });
});

describe('start goes on after', () => {
  it('a cancel before anything was created', async () => {
    const { workflowId, options } = fixture.newTarget();
    fixture.atlas.faults({ on, status: 429, times: 10_000 });
    await fixture.client('start', ...options, ...TO_FILES);
    await eventually('a request', () => fixture.atlas.posts().some(({ status }) => status === 429));
    await end(client.workflow.getHandle(workflowId), 'cancel');
    fixture.atlas.clearFaults();
    expect(await fixture.client('start', ...options, ...TO_FILES, '--wait')).toMatchObject({ code: 0 });
  });

  it('its token was recovered, only with --again', async () => {
    const { workflowId, options, runId } = await fixture.endedWithToken('cancel');
    blocked.repair();
    expect(await fixture.client('recover', ...options, '--run-id', runId)).toMatchObject({ code: 0 });
    await untilListed(`WorkflowId = '${workflowId}'`, 2);
    const refused = await fixture.client('--json', 'start', ...options, ...TO_BLOCKED);
    expect(objectIn(refused)).toMatchObject({ refused: 'delivered' });
  });
});

/** A client whose next start is preceded by something that happens elsewhere. */
function meanwhile(event: () => Promise<unknown>): Client {
  let happened = false;
  const once = async () => {
    if (happened) return;
    happened = true;
    await event();
  };
  const workflow = new Proxy(client.workflow, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      if (name !== 'start') return method;
      return async (...args: unknown[]) => {
        await once();
        return method(...args);
      };
    },
  });
  return new Proxy(client, {
    get: (target, name) => (name === 'workflow' ? workflow : (Reflect.get(target, name, target) as unknown)),
  });
}

describe('no second token is created when, after the look of start and before its start,', () => {
  const silent = { write: () => undefined };
  const output = createOutput({ stdout: silent, stderr: silent }, false, createStop());

  function startAgainst(racing: Client, { workflowId, options }: Target, wait: boolean): Promise<void> {
    const [, orgId = '', , sourceOrgId] = options;
    const request = { orgId, sourceOrgId, sink: 'blocked', accessListIps: ['192.31.196.7'] };
    const context = {
      client: racing,
      taskQueue: fixture.deployment.taskQueue,
      isTaskQueueGiven: true,
      output,
    };
    return start(context, { workflowId, request }, { wait, again: false });
  }

  it('another run starts and ends with a recoverable token: the run of start ends with TokenExists', async () => {
    blocked.block();
    const target = fixture.newTarget();
    let before = 0;
    const racing = meanwhile(async () => {
      await fixture.client('start', ...target.options, ...TO_BLOCKED, '--wait');
      await end(client.workflow.getHandle(target.workflowId), 'terminate');
      await untilListed(`WorkflowId = '${target.workflowId}' AND CloseTime IS NOT NULL`, 1);
      before = posts();
    });
    await expect(startAgainst(racing, target, true)).rejects.toMatchObject({
      exitCode: 6,
      facts: { type: 'TokenExists', refused: 'recoverable' },
    });
    expect(posts()).toBe(before);
  });

  it('another caller starts an equal request: it is joined', async () => {
    blocked.block();
    const target = fixture.newTarget();
    const racing = meanwhile(() => fixture.client('start', ...target.options, ...TO_BLOCKED, '--wait'));
    const before = posts();
    await startAgainst(racing, target, false);
    expect(posts()).toBe(before + 1);
  });
});

describe('a run that another caller started under the id', () => {
  it.each([
    ['with nothing', []],
    ['with null', [null]],
    ['with a second argument that is no recovery', [null, { sealedToken: 'x' }]],
  ])('%s, does not keep start from going on', async (_what, args) => {
    const { workflowId, options } = fixture.newTarget();
    const { taskQueue } = fixture.deployment;
    const odd = await client.workflow.start('prepareLiveMigration', { workflowId, taskQueue, args });
    await expect(odd.result()).rejects.toThrow();
    const { code, stderr } = await fixture.client('start', ...options, ...TO_FILES, '--wait');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it.each(['terminate', 'complete'] as const)(
    'as another workflow type, and that ended (%s), does not either',
    async (how) => {
      const { workflowId, options } = fixture.newTarget();
      await (await startForeignRun(client, workflowId))[how]();
      const { code, stderr } = await fixture.client('start', ...options, ...TO_FILES, '--wait');
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    },
  );

  it('as another workflow type, and that completed, hides no token of an earlier run', async () => {
    const { workflowId, options, runId } = await fixture.endedWithToken('cancel');
    await (await startForeignRun(client, workflowId)).complete();
    await untilListed(`WorkflowId = '${workflowId}'`, 2);
    const { code, stderr } = await fixture.client('start', ...options, ...TO_BLOCKED);
    expect(code).toBe(6);
    expect(stderr).toContain(`--run-id ${runId}`);
  });

  it('as another workflow type, and that is open, is named', async () => {
    const { workflowId, options } = fixture.newTarget();
    const foreign = await startForeignRun(client, workflowId);
    for (const command of [
      ['start', ...options, ...TO_FILES, '--wait'],
      ['start', ...options, ...TO_FILES, '--again'],
      ['redeliver', ...options],
      ['watch', ...options],
      ['cancel', ...options],
    ]) {
      const { code, stderr } = await fixture.client(...command);
      expect(code).toBe(6);
      expect(stderr).toContain(
        `${workflowId} is the id of a run of workflow type foreign, not prepareLiveMigration`,
      );
    }
    await foreign.terminate();
  });
});
