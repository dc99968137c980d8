import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { eventually } from '../../support/eventually';
import { objectsIn } from '../../support/run-command';
import { serveRejectingGrpcProxy } from '../../support/servers';
import { startTcpProxy } from '../../support/tcp-proxy';
import { fixture } from './shared-fixture';

afterEach(() => fixture().atlas.clearFaults());

/** Lets requests to Atlas fail until the faults are cleared. */
const failCreation = () => fixture().atlas.faults({ on: 'linkTokens', status: 429, times: 10_000 });

it('start says how to follow a run, and watch prints each step and the receipt', async () => {
  const { atlas, client, installation, start } = fixture();
  rmSync(installation.tokensFolder, { recursive: true });
  failCreation();
  const { workflowId, options, requestOptions } = fixture().newTarget();
  const audit = ['--requested-by', 'ana', '--change-reference', 'CHG-1'];
  expect(await client('start', ...requestOptions(), ...audit)).toEqual({
    code: 0,
    stdout: `started ${workflowId}\nfollow it: live-migration-prep watch ${options.join(' ')}\n`,
    stderr: '',
  });
  const [watch, json] = [start(['watch', ...options]), start(['--json', 'watch', ...options])];
  const untilPrinted = (line: RegExp) => eventually(String(line), () => line.test(watch.output()));
  await untilPrinted(/^\S+Z creating, attempt \d+; last failure: Atlas returned 429 /m);
  atlas.clearFaults();
  await untilPrinted(
    /^\S+Z delivering, attempt \d+; last failure: the directory .* of the sink .*\(ENOENT\)/m,
  );
  mkdirSync(installation.tokensFolder);
  expect(await watch.exited).toMatchObject({ code: 0, stderr: '' });
  expect(watch.output()).toMatch(
    /^\S+Z delivered\n {2}organization [^]*\n {2}delivered +\S+Z\n {2}unconfirmed +0 tokens\n/m,
  );
  const file = /token is in\s+file (\S+)/.exec(watch.output())?.[1] ?? '';
  expect(readFileSync(file, 'utf8')).toBe(atlas.createdTokens().at(-1)?.linkToken);
  const changes = objectsIn(await json.exited);
  expect(changes[0]).toEqual({
    at: expect.stringMatching(/^\d{4}-.*Z$/),
    workflowId,
    progress: expect.stringMatching(/^(creating|working|waiting)/),
  });
  const receipt = { sink: 'files', requestedBy: 'ana', changeReference: 'CHG-1' };
  expect(changes.at(-1)).toMatchObject({ workflowId, receipt });
});

it('start says that the open run is being cancelled', async () => {
  const { atlas, client } = fixture();
  const on = 'linkTokens';
  const { workflowId, options, requestOptions } = fixture().newTarget();
  const before = atlas.requestsOn(on).length;
  atlas.faults({ on, delayMs: 600_000, status: 503 });
  expect(await client('start', ...requestOptions())).toMatchObject({ code: 0, stderr: '' });
  await eventually('a request', () => atlas.requestsOn(on).length > before);
  await client('cancel', ...options);
  const stderr = `note: ${workflowId} is being cancelled: wait for its end, then start again\n`;
  const secondStart = await client('--json', 'start', ...requestOptions());
  expect(secondStart).toMatchObject({ code: 0, stderr });
  expect(objectsIn(secondStart)).toEqual([{ workflowId, runId: expect.any(String), joined: true }]);
  const dryRun = await client('start', ...requestOptions(), '--dry-run');
  expect(dryRun).toMatchObject({ code: 0, stderr });
  expect(dryRun.stdout).toContain(`start would join the open run ${workflowId}\n`);
  const inJson = await client('--json', 'start', ...requestOptions(), '--dry-run');
  expect(objectsIn(inJson)).toMatchObject([{ workflowId, wouldJoin: true }]);
});

it('cancel ends a run that has created nothing, and the next start delivers', async () => {
  const { atlas, client, start } = fixture();
  atlas.faults({ on: 'linkTokens', status: 429, times: 10_000, headers: { 'Retry-After': '3' } });
  const { workflowId, options, requestOptions } = fixture().newTarget();
  await client('start', ...requestOptions());
  const watch = start(['watch', '--workflow-id', workflowId]);
  await eventually('an attempt', () =>
    /last failure: Atlas returned 429 .*; next attempt at 2\S+Z$/m.test(watch.output()),
  );
  const cancel = await client('cancel', ...options);
  expect(cancel).toMatchObject({ code: 0, stderr: '' });
  expect(cancel.stdout).toMatch(
    /^requested cancellation of \S+: a worker of task queue \S+ ends the run\n.* the run tries once to deliver it\n/,
  );
  expect(await watch.exited).toMatchObject({ code: 7 });
  atlas.clearFaults();
  expect(await client('start', ...requestOptions(), '--wait')).toMatchObject({ code: 0 });
});

it('Ctrl-C while start connects keeps it from starting a run', async () => {
  const proxy = await startTcpProxy(fixture().address);
  proxy.silence();
  const { requestOptions, workflowId } = fixture().newTarget();
  const start = fixture().start(['start', ...requestOptions(), '--address', proxy.address]);
  await eventually('a connection', () => proxy.open() > 0);
  start.interrupt();
  expect(await start.exited).toMatchObject({
    code: 130,
    stderr: 'live-migration-prep: interrupted\n',
  });
  proxy.restore();
  await eventually('no connection', () => proxy.open() === 0);
  await expect(fixture().newestRunId(workflowId)).rejects.toThrow(/not found/i);
});

describe('exit code 3', () => {
  it.each(['start', 'watch', 'list'])(
    'ends %s in a namespace that does not exist',
    async (name) => {
      const { options, requestOptions } = fixture().newTarget();
      const ownOptions = { start: requestOptions(), watch: options }[name] ?? [];
      expect(await fixture().client(name, ...ownOptions, '--namespace', 'nowhere')).toEqual({
        code: 3,
        stdout: '',
        stderr: expect.stringMatching(
          /^live-migration-prep: no access to Temporal at \S+, namespace nowhere, without TLS \(.*not found.*\): grant it, or correct TEMPORAL_.*\n$/,
        ),
      });
    },
  );

  it('comes with what goes on when a command loses Temporal', async () => {
    const UNAUTHENTICATED = 16;
    const calls = /\/(StartWorkflowExecution|UpdateWorkflowExecution)$/;
    const proxy = await serveRejectingGrpcProxy(fixture().address, calls, UNAUTHENTICATED);
    const [fresh, open] = [fixture().newTarget(), fixture().newTarget()];
    await fixture().client('start', ...open.requestOptions('blocked'), '--wait');
    for (const [command, goesOn, { options }] of [
      [['start', ...fresh.requestOptions()], 'a run may have been started', fresh],
      [['redeliver', ...open.options], 'the run goes on', open],
    ] as const) {
      const { code, stderr } = await fixture().client(...command, '--address', proxy.address);
      expect(code).toBe(3);
      expect(stderr).toContain(
        `\n${goesOn}; follow it: live-migration-prep watch ${options.join(' ')}\n`,
      );
    }
  });
});
