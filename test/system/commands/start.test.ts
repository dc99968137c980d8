import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { eventually } from '../../support/eventually';
import { objectIn } from '../../support/run-command';
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
  const { workflowId, name, requestOptions } = fixture().newTarget();
  const audit = ['--requested-by', 'ana', '--change-reference', 'CHG-1'];
  const followIt = `follow it: live-migration-prep watch ${name}\n`;
  expect(await client('start', ...requestOptions(), ...audit)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(new RegExp(`^started +${name} {2}run \\S+\n${followIt}$`)),
  });
  const [watch, json] = [start(['watch', name]), start(['--json', 'watch', name])];
  const untilPrinted = (line: RegExp) => eventually(String(line), () => line.test(watch.output()));
  await untilPrinted(/^creating \(attempt \d+: Atlas returned 429 /m);
  atlas.clearFaults();
  await untilPrinted(/^delivering \(attempt \d+: the directory .* of the sink .*\(ENOENT\)/m);
  mkdirSync(installation.tokensFolder);
  expect(await watch.exited).toMatchObject({ code: 0 });
  expect(watch.output()).toMatch(
    /^delivered +\S+ {2}in sink files\n {2}organization [^]*\n {2}delivered +\S+Z\n {2}unconfirmed +0 tokens\n/m,
  );
  const file = /token is in\s+file (\S+)/.exec(watch.output())?.[1] ?? '';
  expect(readFileSync(file, 'utf8')).toBe(atlas.createdTokens().at(-1)?.linkToken);
  const receipt = { sink: 'files', requestedBy: 'ana', changeReference: 'CHG-1' };
  expect(objectIn(await json.exited)).toMatchObject({ workflowId, action: 'delivered', receipt });
});

it('start says that the open run is being cancelled', async () => {
  const { atlas, client } = fixture();
  const on = 'linkTokens';
  const { workflowId, name, requestOptions } = fixture().newTarget();
  const before = atlas.requestsOn(on).length;
  atlas.faults({ on, delayMs: 600_000, status: 503 });
  expect(await client('start', ...requestOptions())).toMatchObject({ code: 0 });
  await eventually('a request', () => atlas.requestsOn(on).length > before);
  await client('cancel', name);
  const stderr: unknown = expect.stringContaining(
    `note: ${workflowId} is being cancelled: wait for its end, then start again\n`,
  );
  const secondStart = await client('--json', 'start', ...requestOptions());
  expect(secondStart).toMatchObject({ code: 0, stderr });
  expect(objectIn(secondStart)).toMatchObject({ workflowId, action: 'skipped' });
  const dryRun = await client('start', ...requestOptions(), '--dry-run');
  expect(dryRun).toMatchObject({ code: 0, stderr });
  expect(dryRun.stdout).toMatch(/^skipped .* a run of an equal request is open\n {2}credential /);
  const inJson = await client('--json', 'start', ...requestOptions(), '--dry-run');
  expect(objectIn(inJson)).toMatchObject({ workflowId, action: 'skipped' });
});

it('cancel ends a run that has created nothing, and the next start delivers', async () => {
  const { atlas, client, start } = fixture();
  atlas.faults({ on: 'linkTokens', status: 429, times: 10_000, headers: { 'Retry-After': '3' } });
  const { workflowId, name, requestOptions } = fixture().newTarget();
  await client('start', ...requestOptions());
  const watch = start(['watch', workflowId]);
  await eventually('an attempt', () =>
    /: Atlas returned 429 .*; next attempt at 2\S+Z\)$/m.test(watch.output()),
  );
  const cancel = await client('cancel', name);
  expect(cancel).toMatchObject({ code: 0, stderr: '' });
  expect(cancel.stdout).toMatch(
    /^cancelling +\S+ +run \S+\na worker of task queue \S+ ends it, .* a token that is not delivered then is revoked\n/,
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
    async (command) => {
      const { name, requestOptions } = fixture().newTarget();
      const ownOptions = { start: requestOptions(), watch: [name] }[command] ?? [];
      expect(await fixture().client(command, ...ownOptions, '--namespace', 'nowhere')).toEqual({
        code: 3,
        stdout: '',
        stderr: expect.stringMatching(
          /^live-migration-prep: no access to Temporal at \S+, namespace nowhere, without TLS \(.*not found.*\): grant it, or correct TEMPORAL_/,
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
    for (const [command, goesOn, { name }] of [
      [['start', ...fresh.requestOptions()], 'if a run was started, it goes on', fresh],
      [['redeliver', open.name], 'the run goes on', open],
    ] as const) {
      const { code, stderr } = await fixture().client(...command, '--address', proxy.address);
      expect(code).toBe(3);
      expect(stderr).toContain(`\n${goesOn}; follow it: live-migration-prep watch ${name}\n`);
    }
  });
});
