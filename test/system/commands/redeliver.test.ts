import type { Client } from '@temporalio/client';
import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { readRequest } from '../../../src/temporal/run-history';
import type { BlockedSink } from '../../support/blocked-sink';
import {
  TO_BLOCKED,
  TO_FILES,
  createBlockedFixture,
  type BlockedFixture,
  type RunTarget,
} from '../../support/command-line';
import { end } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { startForeignRun } from '../../support/foreign-run';
import { createdToken } from '../../support/history';
import { newOrgId } from '../../support/ids';
import { sharedTemporal, untilListed } from '../../support/installation';
import { objectIn, objectsIn, run, type ClientExit } from '../../support/run-command';

let fixture: BlockedFixture;
let blocked: BlockedSink;
let client: Client;

beforeAll(async () => {
  fixture = await createBlockedFixture();
  ({ blocked, temporal: client } = fixture);
});

const posts = () => fixture.atlas.posts().length;
const lastToken = () => fixture.atlas.createdTokens().at(-1)?.linkToken;

/** More than gRPC lets a client receive at once by default. The workflow knows no such signal. */
async function endedWithALargeHistory(): Promise<RunTarget> {
  const run = await fixture.undelivered();
  const handle = client.workflow.getHandle(run.workflowId);
  for (let signals = 0; signals < 4; signals += 1) await handle.signal('unknown', 'x'.repeat(1_500_000));
  await end(handle, 'cancel');
  return run;
}

/** Finds out if `list` names a token of the closed run, for people and with `--json`. */
async function listedAsRecoverable(workflowId: string, runId: string): Promise<boolean> {
  const ofRun = ['list', '--org', fixture.atlas.account.orgId];
  const row = await eventually('the closed run in the list', async () =>
    objectsIn(await fixture.client('--json', ...ofRun)).find((run) => run.runId === runId && run['closedAt']),
  );
  const { stdout } = await fixture.client(...ofRun);
  const isRecoverable = stdout.includes(`--run-id ${runId}`);
  expect([row['workflowId'], row['deliveryId'] !== null]).toEqual([workflowId, isRecoverable]);
  return isRecoverable;
}

describe('redeliver', () => {
  it('delivers once the sink is repaired; before that it exits with 5, and the run goes on', async () => {
    const { workflowId, options } = await fixture.undelivered();
    const before = posts();
    const early = await fixture.client('--json', 'redeliver', ...options);
    expect(early.code).toBe(5);
    expect(objectIn(early)).toMatchObject({ workflowId, type: 'SinkRejected' });
    expect(await fixture.statusOf(workflowId)).toBe('RUNNING');

    blocked.repair();
    const { code, stdout } = await fixture.client('redeliver', '--workflow-id', workflowId);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`token is in +file ${blocked.directory}`));
    expect(blocked.tokens()).toEqual([lastToken()]);
    expect(posts()).toBe(before);
  });

  it('delivers to another sink by --sink, which is named when it is unknown', async () => {
    const { options } = await fixture.undelivered();
    const unknown = await fixture.client('redeliver', ...options, '--sink', 'nowhere');
    expect(unknown.code).toBe(5);
    expect(unknown.stderr).toMatch(
      /SinkUnavailable: redelivery to sink nowhere: .*no sink "nowhere".*; sink blocked: /,
    );

    const redelivered = await fixture.client('--json', 'redeliver', ...options, '--sink', 'files');
    expect(redelivered).toMatchObject({ code: 0, stderr: '' });
    expect(objectIn(redelivered).receipt.sink).toBe('files');
    expect(fixture.deployment.tokens()).toContain(lastToken());
  });

  it('after a redelivery to an unknown sink goes to the sink of the request again', async () => {
    const { options } = await fixture.undelivered();
    expect(await fixture.client('redeliver', ...options, '--sink', 'dorp')).toMatchObject({ code: 5 });
    blocked.repair();
    const exit = await fixture.client('--json', 'redeliver', ...options);
    expect(objectIn(exit).receipt.sink).toBe('blocked');
  });

  it('twice at once delivers to one sink', async () => {
    const { workflowId, options } = await fixture.undelivered();
    blocked.repair();
    const handle = client.workflow.getHandle(workflowId);
    const sinks = ['files', 'blocked'];
    const exits = await Promise.all(
      sinks.map((sink) => fixture.client('redeliver', ...options, '--sink', sink)),
    );
    const { sink } = (await handle.result()) as { sink: string };
    for (const [index, requested] of sinks.entries()) {
      const { code, stderr } = exits[index] ?? {};
      if (code === 0) expect(stderr).toBe('');
      else {
        expect({ code, requested }).not.toEqual({ code: 6, requested: sink });
        expect(code).toBe(6);
        expect(stderr).toMatch(/RedeliveryInProgress|delivered a token for these organizations/);
      }
    }
    const copies = [...blocked.tokens(), ...fixture.deployment.tokens()].filter(
      (token) => token === lastToken(),
    );
    expect(copies).toHaveLength(1);
  });

  it('while the token is being created exits with 6, and the run is as it was', async () => {
    fixture.atlas.faults({ on: 'linkTokens', status: 429, times: 10_000 });
    const { options, workflowId } = fixture.newTarget();
    await fixture.client('start', ...options, ...TO_FILES);
    await eventually('a request', () => fixture.atlas.posts().some(({ status }) => status === 429));
    const { code, stderr } = await fixture.client('redeliver', ...options);
    fixture.atlas.clearFaults();
    expect(code).toBe(6);
    expect(stderr).toContain('NothingToDeliver: the run has no token to deliver now: its step is creating');
    expect(await client.workflow.getHandle(workflowId).result()).toMatchObject({ sink: 'files' });
  });

  it('after a delivery exits with 6 and prints the receipt', async () => {
    const { options } = fixture.newTarget();
    await fixture.client('start', ...options, ...TO_FILES, '--wait');
    const exit = await fixture.client('--json', 'redeliver', ...options);
    expect(exit.code).toBe(6);
    expect(objectIn(exit)).toMatchObject({ refused: 'delivered', receipt: { sink: 'files' } });
  });

  it('after a cancel with a recoverable token exits with 6, and names recover', async () => {
    const { options, runId } = await fixture.endedWithToken('cancel');
    const { code, stderr } = await fixture.client('redeliver', ...options);
    expect(code).toBe(6);
    expect(stderr).toContain(`live-migration-prep recover ${options.join(' ')} --run-id ${runId}`);
  });

  it('after a run without a token exits with 6', async () => {
    const { options } = fixture.newTarget();
    fixture.atlas.faults({ on: 'linkTokens', status: 403 });
    await fixture.client('start', ...options, ...TO_FILES, '--wait');
    const { code, stderr } = await fixture.client('redeliver', ...options);
    expect(code).toBe(6);
    expect(stderr).toContain('no closed run has a token: nothing to deliver');
  });
});

describe('recover', () => {
  it('delivers the token of a run with a history of 6 MB', async () => {
    const { options, runId } = await endedWithALargeHistory();
    blocked.repair();
    const start = await fixture.client('--json', 'start', ...options, ...TO_BLOCKED);
    expect(objectIn(start)).toMatchObject({ refused: 'recoverable' });
    expect(await fixture.client('recover', ...options, '--run-id', runId)).toMatchObject({ code: 0 });
    expect(blocked.tokens()).toEqual([lastToken()]);
  });

  it.each(['cancel', 'terminate'] as const)(
    'delivers the token of a run after a %s, on the task queue of that run, and creates none',
    async (how) => {
      const { workflowId, options, runId } = await fixture.endedWithToken(how);
      const before = posts();
      expect(await listedAsRecoverable(workflowId, runId)).toBe(true);
      blocked.repair();
      const { address } = await sharedTemporal();
      const withoutQueue = ['recover', ...options, '--run-id', runId, '--timeout', '20s'];
      const { code, stdout } = await run(withoutQueue, embeddedEnv(address));
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`^delivering token [\\da-f-]{36} of run ${runId} to sink blocked\n`));
      expect(blocked.tokens()).toEqual([lastToken()]);
      expect(posts()).toBe(before);
      expect(await fixture.statusOf(workflowId)).toBe('COMPLETED');
      expect(await listedAsRecoverable(workflowId, runId)).toBe(false);

      const again = await fixture.client('--json', 'recover', ...options, '--run-id', runId);
      expect(again.code).toBe(6);
      expect(objectIn(again)).toMatchObject({ refused: 'delivered' });
      expect(again.stderr).toMatch(/has token .*, which a later run delivered/);
    },
  );

  it('starts on the task queue of --task-queue', async () => {
    const { workflowId, options, runId } = await fixture.endedWithToken('cancel');
    const taskQueue = `nobody-${newOrgId()}`;
    const toQueue = ['--run-id', runId, '--task-queue', taskQueue, '--timeout', '2s'];
    expect(await fixture.client('recover', ...options, ...toQueue)).toMatchObject({ code: 4 });
    expect((await client.workflow.getHandle(workflowId).describe()).taskQueue).toBe(taskQueue);
  });

  it('delivers to another sink by --sink; the receipt names the one that may have the token', async () => {
    const { options, runId } = await fixture.endedWithToken('cancel');
    const exit = await fixture.client('--json', 'recover', ...options, '--run-id', runId, '--sink', 'files');
    expect(objectIn(exit).receipt).toMatchObject({ sink: 'files', alsoTried: expect.any(Array) });
    expect(fixture.deployment.tokens()).toContain(lastToken());
  });

  it('against a sink that still rejects exits with 5; the token can be recovered from that run as well', async () => {
    const { workflowId, options, runId } = await fixture.endedWithToken('cancel');
    const before = posts();
    const rejected = await fixture.client('--json', 'recover', ...options, '--run-id', runId);
    expect(rejected.code).toBe(5);
    expect(objectIn(rejected)).toMatchObject({ workflowId, type: 'SinkRejected' });

    const other = await fixture.client('--json', 'recover', ...options, '--run-id', runId);
    expect(other.code).toBe(6);
    expect(objectIn(other)).toMatchObject({ refused: 'open' });
    expect(other.stderr).toContain(`another run of ${workflowId} is open`);

    const second = await fixture.newestRunId(workflowId);
    await client.workflow.getHandle(workflowId).terminate();
    blocked.repair();
    const recovered = await fixture.client('recover', ...options, '--run-id', second);
    expect(recovered).toMatchObject({ code: 0, stderr: '' });
    expect(blocked.tokens()).toEqual([lastToken()]);
    expect(posts()).toBe(before);
  });

  it('keeps the token of a recovery that was refused, which start and redeliver name', async () => {
    const { workflowId, options, runId } = await fixture.endedWithToken('cancel');
    const refused = await fixture.client('recover', ...options, '--run-id', runId, '--sink', 'nowhere');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('InvalidRequest: ');
    const second = await fixture.newestRunId(workflowId);
    expect(second).not.toBe(runId);
    blocked.repair();
    const recovered = await fixture.client('recover', ...options, '--run-id', second, '--sink', 'blocked');
    expect(recovered).toMatchObject({ code: 0, stderr: '' });
    expect(blocked.tokens()).toEqual([lastToken()]);
  });

  it('takes the token that was delivered from the result of the delivery, whatever a recovery claims', async () => {
    const { workflowId, options, runId } = await fixture.endedWithToken('cancel');
    const again = await fixture.client('start', ...options, ...TO_BLOCKED, '--again', '--wait');
    expect(again).toMatchObject({ code: 5 });
    const later = await fixture.newestRunId(workflowId);
    await end(client.workflow.getHandle(workflowId), 'cancel');
    const [own, other] = await Promise.all(
      [runId, later].map((id) => createdToken(client.workflow.getHandle(workflowId, id))),
    );
    const { deliveryId } = other as { deliveryId: string };
    const request = (await readRequest(client, { workflowId, runId })) as object;
    const forged = { sealedToken: { ...(own as object), deliveryId }, sinksTried: [] };
    const { taskQueue } = fixture.deployment;
    await client.workflow.execute('prepareLiveMigration', {
      ...{ workflowId, taskQueue, args: [{ ...request, sink: 'files' }, forged] },
    });
    await untilListed(`WorkflowId = '${workflowId}'`, 3);
    const ofRun = ['recover', ...options, '--sink', 'files', '--run-id'];
    expect(await fixture.client(...ofRun, runId)).toMatchObject({ code: 6 });
    expect(await readRequest(client, { workflowId, runId: later })).toHaveProperty('again', true);
    expect(await fixture.client(...ofRun, later)).toMatchObject({ code: 0 });
    const newest = await fixture.newestRunId(workflowId);
    expect(await readRequest(client, { workflowId, runId: newest })).not.toHaveProperty('again');
  });

  describe('refuses, and starts nothing, a run that', () => {
    it.each<[what: string, run: () => Promise<RunTarget>, exit: object, message: string]>([
      [
        'has no token',
        async () => {
          const target = fixture.newTarget();
          fixture.atlas.faults({ on: 'linkTokens', status: 403 });
          await fixture.client('start', ...target.options, ...TO_FILES, '--wait');
          return { ...target, runId: await fixture.newestRunId(target.workflowId) };
        },
        { code: 6, refused: 'nothingToDeliver' },
        '(FAILED) has no token: there is nothing to recover',
      ],
      [
        'delivered',
        async () => {
          const target = fixture.newTarget();
          await fixture.client('start', ...target.options, ...TO_FILES, '--wait');
          return { ...target, runId: await fixture.newestRunId(target.workflowId) };
        },
        { code: 6, refused: 'delivered' },
        'delivered its token: there is nothing to recover',
      ],
      [
        'is open',
        () => fixture.undelivered(),
        { code: 6, refused: 'open' },
        'is open: live-migration-prep redeliver --org',
      ],
      [
        'is of another workflow type',
        async () => {
          const target = fixture.newTarget();
          const foreign = await startForeignRun(client, target.workflowId);
          await foreign.complete();
          return { ...target, runId: foreign.runId };
        },
        { code: 6, refused: 'foreignRun' },
        'is the id of a run of workflow type foreign, not prepareLiveMigration',
      ],
      [
        'Temporal does not know',
        () => Promise.resolve({ ...fixture.newTarget(), runId: '0b3ff6a0-95cc-4c2a-a4c1-8a2a5b2b1a52' }),
        { code: 1 },
        'Temporal knows no run',
      ],
    ])('%s', async (_what, prepare, expected, message) => {
      const { workflowId, options, runId } = await prepare();
      const before = posts();
      const exit = await fixture.client('--json', 'recover', ...options, '--run-id', runId);
      const [outcome, ...others] = objectsIn(exit);
      expect({ code: exit.code, refused: outcome?.['refused'] }).toEqual(expected);
      expect(others).toEqual([]);
      expect(exit.stderr).toContain(message);
      expect(await fixture.newestRunId(workflowId).catch(() => runId)).toBe(runId);
      expect(posts()).toBe(before);
    });
  });
});

describe('redeliver --all', () => {
  interface Outcome {
    workflowId: string;
    action: string;
    reason: string;
    receipt: { sink: string };
  }

  /** The outcome of each run, which precedes that of the command. */
  const outcomesIn = (exit: ClientExit) => objectsIn(exit).slice(0, -1) as unknown as Outcome[];

  /** A deployment of its own, since the command is about every run of a task queue. */
  let others: BlockedFixture;
  let sink: BlockedSink;
  beforeAll(async () => {
    others = await createBlockedFixture();
    sink = others.blocked;
  });

  async function undeliveredRuns(runs: number): Promise<string[]> {
    sink.block();
    const targets = Array.from({ length: runs }, () => others.newTarget());
    for (const { options } of targets) {
      expect(await others.client('start', ...options, ...TO_BLOCKED, '--wait')).toMatchObject({ code: 5 });
    }
    await eventually('the runs in the list', async () => {
      const query = `TaskQueue = '${others.deployment.taskQueue}' AND ExecutionStatus = 'Running'`;
      let listed = 0;
      for await (const { memo } of client.workflow.list({ query })) listed += memo?.['step'] ? 1 : 0;
      return listed === runs;
    });
    return targets.map(({ workflowId }) => workflowId).sort();
  }

  it('delivers every undelivered run of the task queue, with progress and each outcome', async () => {
    const { client: command, atlas, deployment } = others;
    const ids = await undeliveredRuns(3);
    const rejected = await command('--json', 'redeliver', '--all');
    expect(rejected.code).toBe(5);
    const early = outcomesIn(rejected);
    expect(early.map(({ workflowId, action }) => `${action} ${workflowId}`).sort()).toEqual(
      ids.map((id) => `undelivered ${id}`),
    );
    expect(early[0]?.reason).toContain('SinkRejected: ');

    const elsewhere = await command('redeliver', '--all', '--task-queue', `nobody-${newOrgId()}`);
    expect(elsewhere).toEqual({ code: 0, stdout: '0 undelivered runs\n', stderr: '' });

    sink.repair();
    const { code, stdout, stderr } = await command('redeliver', '--all');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const id of ids) expect(stdout).toMatch(new RegExp(`^[123]/3 {2}delivered {2}${id}: file `, 'm'));
    expect(stdout).toMatch(/\n3 undelivered runs: 3 delivered\n$/);
    expect(sink.tokens().sort()).toEqual(
      atlas
        .createdTokens()
        .map(({ linkToken }) => linkToken)
        .sort(),
    );
    expect(deployment.tokenFiles()).toEqual([]);
  });

  it('delivers to another sink by --sink', async () => {
    const { client: command, atlas, deployment } = others;
    await undeliveredRuns(2);
    const exit = await command('--json', 'redeliver', '--all', '--sink', 'files');
    expect(exit.code).toBe(0);
    expect(outcomesIn(exit).map(({ action, receipt }) => `${action} ${receipt.sink}`)).toEqual([
      'delivered files',
      'delivered files',
    ]);
    expect(deployment.tokens().sort()).toEqual(
      atlas
        .createdTokens()
        .slice(-2)
        .map(({ linkToken }) => linkToken)
        .sort(),
    );
  });

  it('twice at once exits with 6 where a redelivery is in progress and the token remains', async () => {
    const [workflowId = ''] = await undeliveredRuns(1);
    const { client: command, deployment } = others;
    const handle = client.workflow.getHandle(workflowId);
    // Without a worker, the first Update waits; the worker then refuses the second.
    await deployment.workers.at(-1)?.stop();
    const exits = Promise.all([
      command('--json', 'redeliver', '--all'),
      command('--json', 'redeliver', '--all'),
    ]);
    await eventually('both Updates', async () => {
      const { raw } = await handle.describe();
      return raw.pendingWorkflowTask;
    });
    await deployment.startWorker();
    const outcomes = (await exits).map((exit) => [exit.code, outcomesIn(exit)[0]?.action]);
    expect(outcomes.sort()).toEqual([
      [5, 'undelivered'],
      [6, 'refused'],
    ]);
    sink.repair();
    expect(await command('redeliver', '--all')).toMatchObject({ code: 0 });
  });

  it('says how many open runs it does not count', async () => {
    const { client: command, atlas } = others;
    atlas.faults({ on: 'linkTokens', status: 429, times: 10_000 });
    const { workflowId, options } = others.newTarget();
    await command('start', ...options, ...TO_FILES);
    await untilListed(`WorkflowId = '${workflowId}'`, 1);
    const { stdout, stderr } = await command('redeliver', '--all');
    atlas.clearFaults();
    expect(stdout).toBe('0 undelivered runs\n');
    expect(stderr).toBe(
      'note: not counted: 1 open run, creating a token or in the first round of delivery\n',
    );
    await client.workflow.getHandle(workflowId).result();
  });
});
