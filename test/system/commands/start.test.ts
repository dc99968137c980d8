import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { embeddedEnv } from '../../../dev/temporal/embedded-env';
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
    const target = fixture.newTarget();
    const audit = ['--requested-by', 'ana', '--change-reference', 'CHG-1'];
    const exit = await fixture.client('start', ...startOptions(target), ...audit, '--wait');
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    expect(exit.stdout).toMatch(
      /^started \S+\n(.*\n)*\S+Z delivered\n {2}organization [^]*\n {2}delivered +\S+Z\n {2}unconfirmed +0 tokens\n/,
    );
    const file = /token is in\s+file (\S+)/.exec(exit.stdout)?.[1] ?? '';
    expect(readFileSync(file, 'utf8')).toBe(fixture.atlas.createdTokens().at(-1)?.linkToken);
    const receipt: unknown = await fixture.temporal.workflow.getHandle(target.workflowId).result();
    const facts = { requestedBy: 'ana', changeReference: 'CHG-1' };
    expect(receipt).toMatchObject({ accessListIps: [target.address[1]], ...facts });
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

it('cancel ends a run that has created nothing, and the next start goes on', async () => {
  const target = await startCreating();
  const watch = fixture.follow('watch', '--workflow-id', target.workflowId);
  await eventually('an attempt', () => watch.output().includes('last failure: Atlas returned 429 '));
  const cancel = await fixture.client('cancel', ...target.options);
  expect(cancel).toMatchObject({ code: 0, stderr: '' });
  expect(cancel.stdout).toMatch(
    /^requested cancellation of \S+\n.* makes one attempt to deliver a token that /,
  );
  expect(await watch.exited).toMatchObject({ code: 7 });
  fixture.atlas.clearFaults();
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
  it.each([
    ['list', '--address 127.0.0.1:1', /at 127\.0\.0\.1:1, namespace default, .*ECONNREFUSED/],
    ['start', '--namespace nowhere', /, namespace nowhere, without TLS \(.*not found/],
    ['watch', '--namespace nowhere', /, namespace nowhere, without TLS \(.*not found/],
    ['list', '--namespace nowhere', /, namespace nowhere, without TLS \(.*not found/],
  ])('ends %s with %s, with what to set', async (name, where, reason) => {
    const target = fixture.newTarget();
    const options = { start: startOptions(target), watch: target.options }[name] ?? [];
    const { code, stdout, stderr } = await fixture.client(name, ...options, ...where.split(' '));
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(
      /^live-migration-prep: cannot reach Temporal .*: start it, or correct TEMPORAL_.*\n$/,
    );
    expect(stderr).toMatch(reason);
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
