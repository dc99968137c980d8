import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { receiptSchema } from '../../../src/contract/schemas';
import { createCommandFixture, type CommandFixture, type Target } from '../../support/command-line';
import { eventually } from '../../support/eventually';
import { newOrgId } from '../../support/ids';
import { run, startCommand } from '../../support/run-command';
import { serveRejectingGrpcProxy, serveTcpProxy } from '../../support/servers';
import { sharedTemporal } from '../../support/temporal';

const on = 'linkTokens';

let fixture: CommandFixture;
beforeAll(async () => {
  fixture = await createCommandFixture();
});

const startOptions = ({ options, address }: Target, sink = 'files') => [
  ...options,
  ...address,
  '--sink',
  sink,
];

/** Starts a run whose requests to Atlas fail until the faults are cleared. */
async function startCreating(): Promise<Target> {
  const target = fixture.newTarget();
  fixture.atlas.faults({ on, status: 429, times: 10_000 });
  expect(await fixture.client('start', ...startOptions(target))).toMatchObject({ code: 0 });
  return target;
}

describe('start', () => {
  it('says how to follow the run, and does not wait', async () => {
    const target = fixture.newTarget();
    const { workflowId, options } = target;
    expect(await fixture.client('start', ...startOptions(target))).toEqual({
      code: 0,
      stdout: `started ${workflowId}\nfollow it: live-migration-prep watch ${options.join(' ')}\n`,
      stderr: '',
    });
    expect(await fixture.temporal.workflow.getHandle(workflowId).result()).toMatchObject({ sink: 'files' });
  });

  it('with --wait prints where the token is', async () => {
    const target = fixture.newTarget();
    const { code, stdout, stderr } = await fixture.client('start', ...startOptions(target), '--wait');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const file = /token is in\s+file (\S+)/.exec(stdout)?.[1] ?? '';
    expect(path.dirname(file)).toBe(fixture.deployment.tokensFolder);
    expect(readFileSync(file, 'utf8')).toBe(fixture.atlas.createdTokens().at(-1)?.linkToken);
    expect(stdout).toMatch(
      /^started \S+\n(.*\n)*\S+Z delivered\n {2}organization [^]*\n {2}delivered +\S+Z\n/,
    );
    expect(stdout).toMatch(/\n {2}unconfirmed\s+0 tokens\n/);
  });

  it('with --json prints the receipt last, wherever --json stands', async () => {
    const target = fixture.newTarget();
    const facts = { requestedBy: 'ana', changeReference: 'CHG-1' };
    const audit = ['--requested-by', facts.requestedBy, '--change-reference', facts.changeReference];
    const exit = await fixture.client('start', ...startOptions(target), ...audit, '--wait', '--json');
    const { receipt, ...others } = JSON.parse(exit.stdout.trim().split('\n').at(-1) ?? '') as Record<
      string,
      unknown
    >;
    const runId = await fixture.newestRunId(target.workflowId);
    expect(others).toEqual({ workflowId: target.workflowId, runId, joined: false });
    expect(receiptSchema.parse(receipt)).toMatchObject({ accessListIps: [target.address[1]], ...facts });
  });

  it('of a run that fails prints the type, the reason of Atlas and the unconfirmed tokens', async () => {
    fixture.atlas.faults([
      { on, status: 500 },
      { on, status: 403, errorCode: 'ORG_REQUIRES_ACCESS_LIST', detail: 'Not \u0009from here.' },
    ]);
    const exit = await fixture.json('start', ...startOptions(fixture.newTarget()), '--wait');
    expect(exit).toMatchObject({
      code: 1,
      type: 'AtlasRequestRejected',
      details: { status: 403, errorCode: 'ORG_REQUIRES_ACCESS_LIST', unconfirmedTokens: 1 },
    });
    expect(exit.stderr).toMatch(
      /^live-migration-prep: AtlasRequestRejected: Atlas returned 403 ORG_REQUIRES_ACCESS_LIST .*"Not .*from here\."/,
    );
    expect(exit.stderr).toContain('\nAtlas may have created 1 token that the run never received');
  });
});

describe('watch', () => {
  it('prints each step, the attempt and the last failure, and ends with the receipt', async () => {
    const { atlas, deployment, follow } = fixture;
    rmSync(deployment.tokensFolder, { recursive: true });
    const { options } = await startCreating();
    const watch = follow('watch', ...options);
    const untilPrinted = (line: RegExp) => eventually(String(line), () => line.test(watch.output()));
    await untilPrinted(/^\S+Z creating, attempt \d+; last failure: Atlas returned 429 /m);
    atlas.clearFaults();
    await untilPrinted(
      /^\S+Z delivering, attempt \d+; last failure: the directory .* of the sink .*\(ENOENT\)/m,
    );
    mkdirSync(deployment.tokensFolder);
    expect(await watch.exited).toMatchObject({ code: 0, stderr: '' });
    expect(watch.output()).toMatch(/^\S+Z delivered\n {2}organization [^]*token is in +file /m);
  });

  it('with --json prints an object for each change', async () => {
    const { options, workflowId } = await startCreating();
    const watch = fixture.follow('--json', 'watch', ...options);
    await eventually('a change', () => watch.output().includes('\n'));
    fixture.atlas.clearFaults();
    const { stdout } = await watch.exited;
    expect(JSON.parse(stdout.split('\n')[0] ?? '')).toEqual({
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      workflowId,
      progress: expect.stringMatching(/^(creating|working|waiting)/),
    });
  });
});

it('a run that has created nothing refuses redeliver, and is cancelled; then start goes on', async () => {
  const earlier = fixture.atlas.posts().length;
  const target = await startCreating();
  const { workflowId, options } = target;
  await eventually('a request', () =>
    fixture.atlas
      .posts()
      .slice(earlier)
      .some(({ status }) => status === 429),
  );
  expect(await fixture.json('redeliver', ...options)).toMatchObject({
    code: 6,
    type: 'NothingToDeliver',
    error: expect.stringContaining('the run has no token to deliver now: its step is creating'),
  });
  const watch = fixture.follow('watch', '--workflow-id', workflowId);
  const cancel = await fixture.client('cancel', ...options);
  expect(cancel).toMatchObject({ code: 0, stderr: '' });
  expect(cancel.stdout).toMatch(
    /^requested cancellation of \S+\n.* makes one attempt to deliver a token that /,
  );
  expect(await watch.exited).toMatchObject({
    code: 7,
    stderr: 'live-migration-prep: the run was cancelled; no token was created\n',
  });
  fixture.atlas.clearFaults();
  expect(await fixture.client('start', ...startOptions(target), '--wait')).toMatchObject({ code: 0 });
});

describe('Ctrl-C', () => {
  const ofNobody = () => [...startOptions(fixture.newTarget()), '--task-queue', `nobody-${newOrgId()}`];

  it.each([
    ['start', 'started '],
    ['start --wait', 'waiting for a worker'],
  ])('ends %s with 130 and the command that follows the run', async (command, output) => {
    const [name = '', ...more] = command.split(' ');
    const running = fixture.follow(name, ...ofNobody(), ...more);
    await eventually('its output', () => running.output().includes(output));
    running.interrupt();
    expect(await running.exited).toMatchObject({
      code: 130,
      stderr: expect.stringMatching(
        /^live-migration-prep: interrupted\nthe run goes on; follow it: live-migration-prep watch --org \S+ --source-org \S+\n$/,
      ),
    });
  });

  it('ends a command without a run with 130, and no more is said', async () => {
    const running = fixture.follow('list');
    running.interrupt();
    expect(await running.exited).toMatchObject({ code: 130, stderr: 'live-migration-prep: interrupted\n' });
  });

  it('while start connects keeps it from starting a run', async () => {
    const { address } = await sharedTemporal();
    const proxy = await serveTcpProxy(address);
    proxy.cut();
    const target = fixture.newTarget();
    const env = embeddedEnv(proxy.address);
    const start = startCommand(['start', ...startOptions(target)], env);
    await eventually('a connection', () => proxy.open() > 0);
    start.interrupt();
    expect(await start.exited).toMatchObject({ code: 130 });
    proxy.restore();
    await eventually('no connection', () => proxy.open() === 0);
    await expect(fixture.newestRunId(target.workflowId)).rejects.toThrow(/not found/i);
  });
});

it('a command that loses Temporal exits with 3, and says what goes on', async () => {
  const UNAUTHENTICATED = 16;
  const { address } = await sharedTemporal();
  const calls = /\/(StartWorkflowExecution|UpdateWorkflowExecution)$/;
  const proxy = await serveRejectingGrpcProxy(address, calls, UNAUTHENTICATED);
  const target = fixture.newTarget();
  await fixture.client('start', ...startOptions(target, 'blocked'), '--wait');
  for (const [command, followUp] of [
    [['start', ...startOptions(fixture.newTarget())], 'a run may have been started; follow it: '],
    [['redeliver', ...target.options], 'the run goes on; follow it: '],
  ] as const) {
    const { code, stderr } = await run(command, embeddedEnv(proxy.address));
    expect(code).toBe(3);
    expect(stderr).toContain(`\n${followUp}live-migration-prep watch ${command.slice(1, 5).join(' ')}\n`);
  }
});
