import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { freePort } from '../../../dev/temporal/free-port';
import { receiptSchema } from '../../../src/contract/schemas';
import { createCommandFixture, type CommandFixture, type Target } from '../../support/command-line';
import { eventually } from '../../support/eventually';
import { objectsIn, run, startCommand } from '../../support/run-command';
import { serveRejectingGrpcProxy, serveTcpProxy } from '../../support/servers';
import { sharedTemporal } from '../../support/temporal';

let fixture: CommandFixture;
beforeAll(async () => {
  fixture = await createCommandFixture();
});
afterEach(() => fixture.atlas.clearFaults());

const startOptions = ({ options, address }: Target, sink = 'files') => [
  ...options,
  ...address,
  '--sink',
  sink,
];

/** Starts a run whose requests to Atlas fail until the faults are cleared. */
async function startCreating(): Promise<Target> {
  const target = fixture.newTarget();
  fixture.atlas.faults({ on: 'linkTokens', status: 429, times: 10_000 });
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
    const exit = await fixture.client('start', ...startOptions(fixture.newTarget()), '--wait');
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    const file = /token is in\s+file (\S+)/.exec(exit.stdout)?.[1] ?? '';
    expect(path.dirname(file)).toBe(fixture.deployment.tokensFolder);
    expect(readFileSync(file, 'utf8')).toBe(fixture.atlas.createdTokens().at(-1)?.linkToken);
    expect(exit.stdout).toMatch(
      /^started \S+\n(.*\n)*\S+Z delivered\n {2}organization [^]*\n {2}delivered +\S+Z\n {2}unconfirmed +0 tokens\n/,
    );
  });

  it('with --json prints the receipt last, wherever --json stands', async () => {
    const target = fixture.newTarget();
    const facts = { requestedBy: 'ana', changeReference: 'CHG-1' };
    const audit = ['--requested-by', facts.requestedBy, '--change-reference', facts.changeReference];
    const exit = await fixture.client('start', ...startOptions(target), ...audit, '--wait', '--json');
    const { receipt, ...others } = objectsIn(exit).at(-1) ?? {};
    const runId = await fixture.newestRunId(target.workflowId);
    expect(others).toEqual({ workflowId: target.workflowId, runId, joined: false });
    expect(receiptSchema.parse(receipt)).toMatchObject({ accessListIps: [target.address[1]], ...facts });
  });
});

it('watch prints each step, the attempt and the last failure, and ends with the receipt', async () => {
  const { atlas, deployment, follow } = fixture;
  rmSync(deployment.tokensFolder, { recursive: true });
  const { options, workflowId } = await startCreating();
  const [watch, json] = [follow('watch', ...options), follow('--json', 'watch', ...options)];
  const untilPrinted = (line: RegExp) => eventually(String(line), () => line.test(watch.output()));
  await untilPrinted(/^\S+Z creating, attempt \d+; last failure: Atlas returned 429 /m);
  atlas.clearFaults();
  await untilPrinted(
    /^\S+Z delivering, attempt \d+; last failure: the directory .* of the sink .*\(ENOENT\)/m,
  );
  mkdirSync(deployment.tokensFolder);
  expect(await watch.exited).toMatchObject({ code: 0, stderr: '' });
  expect(watch.output()).toMatch(/^\S+Z delivered\n {2}organization [^]*token is in +file /m);
  expect(objectsIn(await json.exited)[0]).toEqual({
    at: expect.stringMatching(/^\d{4}-.*Z$/),
    workflowId,
    progress: expect.stringMatching(/^(creating|working|waiting)/),
  });
});

it('a run that has created nothing refuses redeliver, and is cancelled; then start goes on', async () => {
  const { atlas } = fixture;
  const earlier = atlas.posts().length;
  const target = await startCreating();
  await eventually('a response', () => atlas.posts().slice(earlier).at(0)?.status === 429);
  expect(await fixture.json('redeliver', ...target.options)).toMatchObject({
    code: 6,
    type: 'NothingToDeliver',
    error: expect.stringContaining('the run has no token to deliver now: its step is creating'),
  });
  const watch = fixture.follow('watch', '--workflow-id', target.workflowId);
  const cancel = await fixture.client('cancel', ...target.options);
  expect(cancel).toMatchObject({ code: 0, stderr: '' });
  expect(cancel.stdout).toMatch(
    /^requested cancellation of \S+\n.* makes one attempt to deliver a token that /,
  );
  expect(await watch.exited).toMatchObject({ code: 7 });
  atlas.clearFaults();
  expect(await fixture.client('start', ...startOptions(target), '--wait')).toMatchObject({ code: 0 });
});

it('Ctrl-C while start connects keeps it from starting a run', async () => {
  const { address } = await sharedTemporal();
  const proxy = await serveTcpProxy(address);
  proxy.cut();
  const target = fixture.newTarget();
  const start = startCommand(['start', ...startOptions(target)], embeddedEnv(proxy.address));
  await eventually('a connection', () => proxy.open() > 0);
  start.interrupt();
  expect(await start.exited).toMatchObject({ code: 130, stderr: 'live-migration-prep: interrupted\n' });
  proxy.restore();
  await eventually('no connection', () => proxy.open() === 0);
  await expect(fixture.newestRunId(target.workflowId)).rejects.toThrow(/not found/i);
});

describe('exit code 3', () => {
  it('names the address and what to set where nothing listens', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const list = ['--json', '--address', address, '--namespace', 'other', 'list'];
    const exit = await run(list, embeddedEnv('127.0.0.1:1'));
    expect(exit.code).toBe(3);
    expect(exit.stderr).toContain(`cannot reach Temporal at ${address}, namespace other`);
    expect(objectsIn(exit)).toEqual([{ error: expect.stringContaining('start it, or correct TEMPORAL_') }]);
  });

  it.each(['start', 'watch', 'list'])('ends %s in a namespace that is not there', async (name) => {
    const target = fixture.newTarget();
    const options = { start: startOptions(target), watch: target.options }[name] ?? ['--requests'];
    const exit = await fixture.client('--namespace', 'nowhere', name, ...options);
    expect(exit).toEqual({
      code: 3,
      stdout: '',
      stderr: expect.stringMatching(
        /^live-migration-prep: cannot reach Temporal at .*, namespace nowhere, without TLS \(.*not found.*\): .*\n$/,
      ),
    });
  });

  it('says what goes on when a command loses Temporal', async () => {
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
});
