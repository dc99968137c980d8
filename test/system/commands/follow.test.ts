import { mkdirSync, rmSync } from 'node:fs';
import type { Client } from '@temporalio/client';
import { EXIT_CODES, type ExitCode } from '../../../src/commands/cli/command-error';
import type { BlockedSink } from '../../support/blocked-sink';
import { cleanUpLater } from '../../support/clean-up';
import {
  TO_BLOCKED,
  TO_FILES,
  createBlockedFixture,
  createCommandFixture,
  type BlockedFixture,
  type CommandFixture,
  type Target,
} from '../../support/command-line';
import { eventually } from '../../support/eventually';
import { objectIn, objectsIn, type ClientExit } from '../../support/run-command';

const on = 'linkTokens';

let fixture: BlockedFixture;
/** The same without a worker: whoever waits for one of its runs waits for ever. */
let idle: CommandFixture;
let blocked: BlockedSink;
let client: Client;

beforeAll(async () => {
  [fixture, idle] = await Promise.all([createBlockedFixture(), createCommandFixture()]);
  ({ blocked, temporal: client } = fixture);
  cleanUpLater(endIdleRuns);
});

/** The SDK repeats a call that waits for an open run when the server ends, on a connection that is closed by then. */
async function endIdleRuns(): Promise<void> {
  const query = `TaskQueue = '${idle.deployment.taskQueue}' AND ExecutionStatus = 'Running'`;
  for await (const { workflowId } of client.workflow.list({ query })) {
    await client.workflow.getHandle(workflowId).terminate();
  }
}

async function interrupted(...args: string[]): Promise<ClientExit> {
  const command = idle.follow(...args);
  await eventually('the wait', () => command.output().includes('waiting for a worker'));
  command.interrupt();
  return command.exited;
}

const CASES: [
  name: keyof typeof EXIT_CODES,
  run: (target: Target) => Promise<ClientExit>,
  message: string,
][] = [
  ['done', ({ options }) => fixture.client('start', ...options, ...TO_FILES, '--wait'), ''],
  [
    'failed',
    ({ options }) => fixture.client('start', ...options, ...TO_FILES.slice(0, 2), '--sink', 'none', '--wait'),
    'InvalidRequest: ',
  ],
  ['usage', ({ options }) => fixture.client('start', ...options, ...TO_FILES, '--once'), 'unknown option'],
  [
    'unreachable',
    ({ options }) => fixture.client('watch', ...options, '--address', '127.0.0.1:1', '--namespace', 'other'),
    'cannot reach Temporal at 127.0.0.1:1, namespace other',
  ],
  [
    'timedOut',
    async ({ options }) => {
      await idle.client('start', ...options, ...TO_FILES);
      return idle.client('watch', ...options, '--namespace', 'default', '--timeout', '4s');
    },
    'timed out after 4 s\nthe run goes on; follow it: live-migration-prep watch --org',
  ],
  [
    'undelivered',
    ({ options }) => fixture.client('start', ...options, ...TO_BLOCKED, '--wait'),
    'SinkRejected: ',
  ],
  [
    'refused',
    async ({ options }) => {
      await fixture.client('start', ...options, ...TO_FILES, '--wait');
      return fixture.client('start', ...options, ...TO_FILES);
    },
    'delivered a token for these organizations',
  ],
  [
    'cancelled',
    async ({ options }) => {
      fixture.atlas.faults({ on, status: 429, times: 10_000 });
      const waiting = fixture.follow('start', ...options, ...TO_FILES, '--wait');
      await eventually('a request', () => fixture.atlas.posts().some(({ status }) => status === 429));
      await fixture.client('cancel', ...options);
      const exit = await waiting.exited;
      fixture.atlas.clearFaults();
      return exit;
    },
    'the run was cancelled; no token was created',
  ],
  [
    'interrupted',
    ({ options }) => interrupted('start', ...options, ...TO_FILES, '--wait'),
    'interrupted\nthe run goes on; follow it: live-migration-prep watch ',
  ],
];

describe('exit code', () => {
  it('is tested here for each ending', () => {
    expect(CASES.map(([name]) => name)).toEqual(Object.keys(EXIT_CODES));
  });

  it.each(CASES.map(([name, run, message]) => [EXIT_CODES[name], name, run, message] as const))(
    '%i: %s',
    async (code, _name, run, message) => {
      const exit = await run(fixture.newTarget());
      expect(exit.code).toBe<ExitCode>(code);
      expect(exit.stderr).toContain(message);
    },
  );
});

describe('of runs that no worker takes,', () => {
  let waiting: Target;

  beforeAll(async () => {
    waiting = idle.newTarget();
    await idle.client('start', ...waiting.options, ...TO_FILES);
  });

  const followUp = () => `the run goes on; follow it: live-migration-prep watch ${waiting.options.join(' ')}`;

  it('start says how to follow the run when it is interrupted before it has looked for a worker', async () => {
    const { options } = idle.newTarget();
    const start = idle.follow('start', ...options, ...TO_FILES);
    await eventually('the start', () => start.output().startsWith('started '));
    start.interrupt();
    expect(await start.exited).toMatchObject({
      code: 130,
      stderr: `live-migration-prep: interrupted\nthe run goes on; follow it: live-migration-prep watch ${options.join(' ')}\n`,
    });
  });

  it('start --wait prints what watch prints', async () => {
    const start = await idle.client('start', ...waiting.options, ...TO_FILES, '--wait', '--timeout', '4s');
    expect(start.stdout).toMatch(
      /^joined the open run \S+\n\S+Z waiting for a worker; no worker polls .*\n$/,
    );
    const watch = await idle.client('watch', ...waiting.options, '--timeout', '4s');
    expect(watch.stdout).toMatch(/^\S+Z waiting for a worker; no worker polls .*\n$/);
    expect(watch.stderr).toBe(start.stderr);
  });

  it('watch --json prints an object per line, and how it ended as the last', async () => {
    const exit = await idle.client('--json', 'watch', ...waiting.options, '--timeout', '4s');
    expect(exit.code).toBe(EXIT_CODES.timedOut);
    expect(objectsIn(exit)).toEqual([
      {
        at: expect.stringMatching(/^\d{4}-.*Z$/),
        workflowId: waiting.workflowId,
        progress: expect.stringMatching(/^waiting for a worker; no worker polls /),
      },
      { error: `timed out after 4 s\n${followUp()}` },
    ]);
  });

  it('redeliver says that no worker polls, ends with 4, and names the command that follows it', async () => {
    const { code, stderr } = await idle.client('redeliver', ...waiting.options, '--timeout', '4s');
    expect(code).toBe(EXIT_CODES.timedOut);
    expect(stderr).toContain(`note: no worker polls task queue ${idle.deployment.taskQueue}`);
    expect(stderr).toContain(followUp());
  });
});

it('an interrupted command without a run says no more than that', async () => {
  const command = idle.follow('list');
  command.interrupt();
  expect(await command.exited).toMatchObject({ code: 130, stderr: 'live-migration-prep: interrupted\n' });
});

async function start(request = TO_FILES): Promise<Target> {
  const target = fixture.newTarget();
  expect(await fixture.client('start', ...target.options, ...request)).toMatchObject({ code: 0 });
  return target;
}

describe('watch', () => {
  it('prints each step, the attempt and the last failure, and ends with the receipt', async () => {
    const { atlas, deployment } = fixture;
    atlas.faults({ on, status: 429, times: 10_000 });
    rmSync(deployment.tokensFolder, { recursive: true });
    const { options } = await start();
    const watch = fixture.follow('watch', ...options);
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
    fixture.atlas.faults({ on, status: 503, headers: { 'retry-after': '600' }, times: 10_000 });
    const { options, workflowId } = await start();
    const watch = fixture.follow('watch', ...options);
    await eventually('the reason', () =>
      /^\S+Z creating: Atlas returned 503 .*; Atlas may have created a token .*; next try at \d{4}/m.test(
        watch.output(),
      ),
    );
    fixture.atlas.clearFaults();
    await client.workflow.getHandle(workflowId).cancel();
    const { code, stderr } = await watch.exited;
    expect(code).toBe(7);
    expect(stderr).toMatch(
      /^live-migration-prep: Cancelled: .*Atlas may have created up to 1 unconfirmed token/m,
    );

    // The old one sends nothing more with this credential until `Retry-After` ends.
    await fixture.deployment.workers.at(-1)?.stop();
    await fixture.deployment.startWorker();
  });

  it('ends with 1 and the failure of a run that fails', async () => {
    fixture.atlas.faults({ on, status: 429, times: 10_000 });
    const { options } = await start();
    const watch = fixture.follow('watch', ...options);
    await eventually('the first line', () => watch.output().includes('creating, attempt'));
    fixture.atlas.clearFaults();
    fixture.atlas.faults({ on, status: 403, errorCode: 'ORG_REQUIRES_ACCESS_LIST' });
    const { code, stderr } = await watch.exited;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^live-migration-prep: AtlasRequestRejected: Atlas returned 403 /m);

    const afterwards = await fixture.client('--json', 'watch', ...options);
    expect(afterwards.code).toBe(1);
    expect(objectIn(afterwards)).toMatchObject({ type: 'AtlasRequestRejected', details: { status: 403 } });
  });

  it('ends with 5 when the run is undelivered: the reason, the next try, the command that helps', async () => {
    blocked.block();
    const { workflowId, options } = await start(TO_BLOCKED);
    const { code, stderr } = await fixture.client('watch', ...options);
    expect(code).toBe(5);
    expect(stderr).toMatch(/^live-migration-prep: SinkRejected: .*is not a directory/);
    expect(stderr).toContain(`live-migration-prep redeliver ${options.join(' ')}`);
    expect(stderr).toMatch(
      /\nthe token is kept, encrypted, and the run goes on; next try at \d{4}-\S+Z\nonce the cause is fixed: /,
    );
    expect(await fixture.statusOf(workflowId)).toBe('RUNNING');

    const json = await fixture.client('--json', 'watch', ...options);
    expect(json.code).toBe(5);
    expect(objectIn(json)).toMatchObject({
      workflowId,
      type: 'SinkRejected',
      status: { step: 'undelivered', unconfirmedTokens: 0, deliveryId: expect.any(String) },
    });
  });

  it('of a terminated run says what to do with its token', async () => {
    const { workflowId, options } = await fixture.undelivered();
    await client.workflow.getHandle(workflowId).terminate('\u001b[31mby mistake');
    const { code, stderr } = await fixture.client('watch', ...options);
    expect(code).toBe(1);
    expect(stderr).toContain(String.raw`the run was terminated: \u001b[31mby mistake`);
    expect(stderr).toContain(`recover ${options.join(' ')} --run-id`);
  });
});

describe('cancel', () => {
  it('of a run that created nothing: watch ends with 7; a second time there is nothing to cancel', async () => {
    fixture.atlas.faults({ on, status: 429, times: 10_000 });
    const { workflowId, options } = await start();
    const watch = fixture.follow('watch', '--workflow-id', workflowId);
    await eventually('the first line', () => watch.output().includes('creating, attempt'));
    const cancel = await fixture.client('cancel', ...options);
    expect(cancel).toMatchObject({ code: 0, stderr: '' });
    expect(cancel.stdout).toContain(`requested cancellation of ${workflowId}\n`);
    expect(cancel.stdout).toContain('makes one attempt to deliver a token that arrives\n');
    expect(await watch.exited).toMatchObject({
      code: 7,
      stderr: 'live-migration-prep: the run was cancelled; no token was created\n',
    });
    fixture.atlas.clearFaults();

    expect(await fixture.statusOf(workflowId)).toBe('CANCELLED');
    const again = await fixture.client('--json', 'cancel', ...options);
    expect(again.code).toBe(6);
    expect(objectIn(again)).toMatchObject({
      refused: 'ended',
      error: `${workflowId} has ended (CANCELLED): there is nothing to cancel\nsee how it ended, and what may be left: live-migration-prep watch ${options.join(' ')}`,
      status: 'CANCELLED',
    });
  });

  it('of an undelivered run: watch ends with 7, and prints what may be left', async () => {
    const { options, runId } = await fixture.undelivered();
    expect(await fixture.client('cancel', ...options)).toMatchObject({ code: 0 });
    const { code, stderr } = await fixture.client('watch', ...options);
    expect(code).toBe(7);
    expect(stderr).toMatch(
      /^live-migration-prep: Cancelled: .*token [\da-f-]{36} is not confirmed as delivered/,
    );
    expect(stderr).toContain(`live-migration-prep recover ${options.join(' ')} --run-id ${runId}`);

    const json = await fixture.client('--json', 'watch', ...options);
    expect(objectIn(json)).toMatchObject({
      type: 'Cancelled',
      details: {
        unconfirmedTokens: 0,
        deliveryId: expect.any(String),
        tokenSha256: expect.any(String),
        sinksTried: expect.any(Array),
      },
    });
  });
});

describe.each(['watch', 'cancel', 'redeliver'])('%s', (command) => {
  it('of a run that Temporal does not know says so', async () => {
    const { workflowId, options } = fixture.newTarget();
    const exit = await fixture.client('--json', command, ...options);
    expect(exit.code).toBe(1);
    expect(objectIn(exit)).toEqual({
      error: `Temporal knows no run ${workflowId}: it never ran in this namespace, or the retention period has ended`,
    });
  });
});

it('watch of an undelivered run whose workers are gone says so', async () => {
  blocked.block();
  const { options } = fixture.newTarget();
  await fixture.client('start', ...options, ...TO_BLOCKED, '--wait');
  await fixture.deployment.workers.at(-1)?.stop();
  const { code, stderr } = await fixture.client('watch', ...options);
  expect(code).toBe(5);
  expect(stderr).toContain('undelivered: no worker responds, so the reason is in the history only');
  expect(stderr).toContain(`once the cause is fixed: live-migration-prep redeliver ${options.join(' ')}`);
});
