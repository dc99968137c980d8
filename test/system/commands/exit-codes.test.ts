import { WITH_BLOCKED_SINK, blockSink } from '../../support/blocked-sink';
import { EXIT_CODES, type ExitCode } from '../../../src/commands/cli/command-error';
import { cleanUpLater } from '../../support/clean-up';
import { setScene, type Scene, type Target } from '../../support/command-line';
import { eventually } from '../../support/eventually';
import { objectsIn, type ClientExit } from '../../support/run-command';
import { sharedTemporal } from '../../support/setting';

const on = 'linkTokens';
const TO_FILES = ['--ip', '192.31.196.7', '--sink', 'files'];
const TO_BLOCKED = ['--ip', '192.31.196.7', '--sink', 'blocked'];

let scene: Scene;
/** The same without a worker: whoever waits for one of its runs waits for ever. */
let idle: Scene;

beforeAll(async () => {
  [scene, idle] = await Promise.all([setScene(WITH_BLOCKED_SINK), setScene(WITH_BLOCKED_SINK)]);
  blockSink(scene.deployment);
  await scene.deployment.startWorker();
  cleanUpLater(endIdleRuns);
});

/** The SDK repeats a call that waits for an open run when the server ends, on a connection that is closed by then. */
async function endIdleRuns(): Promise<void> {
  const { client } = await sharedTemporal();
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
  ['done', ({ options }) => scene.client('start', ...options, ...TO_FILES, '--wait'), ''],
  [
    'failed',
    ({ options }) => scene.client('start', ...options, ...TO_FILES.slice(0, 2), '--sink', 'none', '--wait'),
    'InvalidRequest: ',
  ],
  ['usage', ({ options }) => scene.client('start', ...options, ...TO_FILES, '--once'), 'unknown option'],
  [
    'unreachable',
    ({ options }) => scene.client('watch', ...options, '--address', '127.0.0.1:1', '--namespace', 'other'),
    'cannot reach Temporal at 127.0.0.1:1, namespace other',
  ],
  [
    'timedOut',
    async ({ options }) => {
      await idle.client('start', ...options, ...TO_FILES);
      return idle.client('watch', ...options, '--namespace', 'default', '--timeout', '4s');
    },
    'timed out after 4 s\nthe run goes on; follow it: live-migration-prep --namespace default watch --org',
  ],
  [
    'undelivered',
    ({ options }) => scene.client('start', ...options, ...TO_BLOCKED, '--wait'),
    'SinkRejected: ',
  ],
  [
    'refused',
    async ({ options }) => {
      await scene.client('start', ...options, ...TO_FILES, '--wait');
      return scene.client('start', ...options, ...TO_FILES);
    },
    'start --again creates another',
  ],
  [
    'cancelled',
    async ({ options }) => {
      scene.atlas.faults({ on, status: 429, times: 10_000 });
      await scene.client('start', ...options, ...TO_FILES);
      await scene.client('cancel', ...options);
      const exit = await scene.client('watch', ...options);
      scene.atlas.clearFaults();
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
      const exit = await run(scene.newTarget());
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
        at: expect.stringMatching(/^\d{4}-.*Z$/) as unknown,
        workflowId: waiting.workflowId,
        progress: expect.stringMatching(/^waiting for a worker; no worker polls /) as unknown,
      },
      { error: `timed out after 4 s\n${followUp()}` },
    ]);
  });

  it('redeliver ends with 4, and names the command that follows it', async () => {
    const { code, stderr } = await idle.client('redeliver', ...waiting.options, '--timeout', '4s');
    expect(code).toBe(EXIT_CODES.timedOut);
    expect(stderr).toContain(followUp());
  });
});

it('restart ends with 4 while Atlas turns its run away, and names the command that lists what it started', async () => {
  const { workflowId, options } = scene.newTarget();
  scene.atlas.faults({ on, status: 403 });
  expect(await scene.client('start', ...options, ...TO_FILES, '--wait')).toMatchObject({ code: 1 });
  const { client } = await sharedTemporal();
  const query = `WorkflowId = '${workflowId}' AND ExecutionStatus = 'Failed'`;
  await eventually('the list', async () => (await client.workflow.count(query)).count === 1);
  scene.atlas.faults({ on, status: 429, times: 10_000 });
  const restart = ['restart', '--since', '2026-01-01T00:00:00Z', '--failure', 'AtlasRequestRejected'];
  const { code, stderr } = await scene.client(...restart, '--timeout', '2s');
  expect(code).toBe(EXIT_CODES.timedOut);
  expect(stderr).toMatch(
    RegExp(`; list it: live-migration-prep --task-queue ${scene.deployment.taskQueue} list --since \\d{4}-`),
  );
  const handle = client.workflow.getHandle(workflowId);
  expect((await handle.describe()).status.name).toBe('RUNNING');
  scene.atlas.clearFaults();
  await handle.result();
});

it('an interrupted command without a run says no more than that', async () => {
  const command = idle.follow('restart', '--since', '2026-11-25T09:00:00Z');
  command.interrupt();
  expect(await command.exited).toMatchObject({ code: 130, stderr: 'live-migration-prep: interrupted\n' });
});
