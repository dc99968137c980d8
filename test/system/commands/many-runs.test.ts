import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { workflowIdFor } from '../../../src/contract/names';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { newAccount, seedOf } from '../../support/atlas';
import { CLIENT, createCommandFixture, type CommandFixture } from '../../support/command-line';
import { eventually } from '../../support/eventually';
import { newOrgId } from '../../support/ids';
import { objectsIn, runProgram, type ClientExit } from '../../support/run-command';
import { end, endingOf, untilStep } from '../../support/runs';
import { sharedTemporal, untilListed } from '../../support/temporal';

let fixture: CommandFixture;
beforeAll(async () => {
  fixture = await createCommandFixture();
});

interface Outcome {
  line: number;
  workflowId: string;
  action: string;
  reason: string;
}

function fileOf(requests: readonly object[]): string {
  const file = path.join(fixture.deployment.folder, `${newOrgId()}.jsonl`);
  writeFileSync(file, requests.map((request) => `${JSON.stringify(request)}\n`).join(''));
  return file;
}

/** Parses the outcomes with --json, in the order of the lines of the file, without that of the command. */
function outcomesIn(exit: Pick<ClientExit, 'stdout'>): Outcome[] {
  const outcomes = objectsIn(exit).filter(({ action }) => action) as unknown as Outcome[];
  return outcomes.sort((x, y) => x.line - y.line);
}

/** The outcome of the command, which it prints last. */
const summaryIn = (exit: ClientExit) => objectsIn(exit).at(-1);

const newRequests = (count: number, more?: Partial<PrepareRequest>) =>
  Array.from({ length: count }, () => fixture.deployment.newRequest(more));
const idOf = ({ orgId, sourceOrgId }: PrepareRequest) => workflowIdFor(orgId, sourceOrgId);
const tokens = () => fixture.atlas.createdTokens().length;

/** Expects that each run delivered a token of its own. */
async function expectDelivered(requests: readonly PrepareRequest[]): Promise<void> {
  const endings = await Promise.all(
    requests.map((request) => endingOf(fixture.deployment.handleOf(request))),
  );
  const ids = endings.map(({ receipt }) => receipt?.deliveryId);
  expect(ids).not.toContain(undefined);
  expect(new Set(ids).size).toBe(requests.length);
}

async function startUndelivered(count: number): Promise<PrepareRequest[]> {
  const requests = newRequests(count, { sink: 'blocked' });
  for (const request of requests) await untilStep(await fixture.deployment.start(request), 'undelivered');
  return requests;
}

describe('start --from', () => {
  it('that is killed half-way and run again creates one token for each line', async () => {
    const requests = newRequests(30);
    const before = tokens();
    const { address } = await sharedTemporal();
    const command = [
      '--json',
      '--task-queue',
      fixture.deployment.taskQueue,
      'start',
      '--from',
      fileOf(requests),
    ];
    const child = spawn(process.execPath, [CLIENT, ...command], { env: embeddedEnv(address) });
    const exited = once(child, 'exit');
    let stdout = '';
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    await eventually('some outcomes', () => stdout.split('\n').length > 5);
    child.kill('SIGKILL');
    await exited;
    const again = await runProgram(CLIENT, command, embeddedEnv(address));
    expect(again).toMatchObject({ code: 0, stderr: '' });
    expect(outcomesIn(again).map(({ line, workflowId }) => [line, workflowId])).toEqual(
      requests.map((request, index) => [index + 1, idOf(request)]),
    );
    await expectDelivered(requests);
    expect(tokens()).toBe(before + requests.length);
  });

  it('that is stopped by Ctrl-C prints only what it knows, and says what goes on', async () => {
    const from = fileOf(newRequests(40));
    const command = fixture.follow('--json', 'start', '--from', from);
    await eventually('some outcomes', () => command.output().split('\n').length > 5);
    command.interrupt();
    const exit = await command.exited;
    expect(exit.code).toBe(130);
    expect(exit.stderr).toContain('\nthe started runs go on; the same command starts the rest; list runs:');
    expect(new Set(outcomesIn(exit).map(({ action }) => action))).toEqual(new Set(['started']));
  });

  it('starts only pairs without a run that is open or has a token, and says why', async () => {
    const { deployment } = fixture;
    const [delivered, failed, fresh] = newRequests(3) as [PrepareRequest, PrepareRequest, PrepareRequest];
    await endingOf(await deployment.start(delivered));
    await endingOf(await deployment.start({ ...failed, sink: 'none' }));
    const [open, other, cancelled] = (await startUndelivered(3)) as [
      PrepareRequest,
      PrepareRequest,
      PrepareRequest,
    ];
    await end(deployment.handleOf(cancelled), 'cancel');
    const from = fileOf([delivered, failed, fresh, open, { ...other, accessListIps: [] }, cancelled]);
    const expected = (started: RegExp, opened: RegExp): unknown[] =>
      [
        /^skipped: run \S+ delivered a token for these organizations: /,
        started,
        started,
        opened,
        /^refused: DifferentRequest: .* is open with a different request; accessListIps: open .*, yours .*; wait for /,
        /^refused: run \S+ ended with token .*Deliver it with `live-migration-prep recover --org .* --run-id \S+`\. /,
      ].map((outcome) => expect.stringMatching(outcome));
    const describe = (exit: ClientExit) =>
      outcomesIn(exit).map(({ action, reason }) => `${action}: ${reason}`);
    const before = tokens();

    const dry = await fixture.client('--json', 'start', '--from', from, '--dry-run');
    expect(dry.code).toBe(6);
    expect(describe(dry)).toEqual(
      expected(/^would start: into sink files$/, /^skipped: a run of an equal request is open \(/),
    );
    expect(tokens()).toBe(before);

    const exit = await fixture.client('--json', 'start', '--from', from, '--wait');
    expect(describe(exit)).toEqual(expected(/^delivered: file /, /^undelivered: SinkRejected: /));
    expect(exit).toMatchObject({ code: 5, stderr: expect.stringContaining('6 requests: ') });
    expect(tokens()).toBe(before + 2);
  });

  it.each<[what: string, stdin: string | Buffer, message: string]>([
    ['is empty, as after a command that failed', '', '--from - contains no request'],
    ['is broken off', '{"orgId":"64f1c0ffee5e', 'line 1: is not JSON'],
    ['is binary', Buffer.from([0xff, 0x0a, 0x00, 0x0a, 0x1b]), 'has problems in 3 lines'],
    ['is the error of a command with --json', '{"error":"cannot reach Temporal"}\n', 'error is not a field'],
  ])('starts nothing where standard input %s', async (_what, stdin, message) => {
    const exit = await fixture.piped(stdin, 'start', '--from', '-');
    expect(exit).toMatchObject({ code: 2, stdout: '' });
    expect(exit.stderr).toContain('nothing was started: --from - ');
    expect(exit.stderr).toContain(message);
  });
});

/** Lets Atlas accept the test's service account with this secret only, from now on. */
function setSecretAtAtlas(clientSecret: string): void {
  const { atlas } = fixture;
  atlas.seed(seedOf([{ ...atlas.account, clientSecret }]));
  atlas.expire('accessTokens');
}

it('list --requests | start --from - brings back every run that failed on a wrong secret, once', async () => {
  const { atlas, deployment, temporal } = fixture;
  const { taskQueue } = deployment;
  const [again, onDemand, scheduled] = newRequests(3) as [PrepareRequest, PrepareRequest, PrepareRequest];
  const since = new Date().toISOString();
  setSecretAtAtlas(newAccount().clientSecret);
  await endingOf(await deployment.start({ ...again, again: true }));
  await endingOf(await deployment.start(onDemand));
  const execute = (type: string, workflowId: string, ...args: unknown[]) =>
    temporal.workflow.execute(type, { workflowId, taskQueue, args }).catch(() => undefined);
  await execute('prepareOnSchedule', `${idOf(scheduled)}/schedule`, { request: scheduled, always: true });
  // Nobody can start these again: they keep no other from it.
  for (const args of [[], [null], [{ orgId: { toString: 1 } }], [again]])
    await execute('prepareLiveMigration', `live-migration-prep/${newOrgId()}`, ...args);
  await untilListed(
    `TaskQueue = '${taskQueue}' AND StartTime > '${since}' AND ExecutionStatus = 'Failed' AND WorkflowType = 'prepareLiveMigration'`,
    7,
  );
  setSecretAtAtlas(atlas.account.clientSecret);

  const requestsOf = (failure: string) =>
    fixture.client('list', '--since', since, '--failure', failure, '--requests');
  const { stdout } = await requestsOf('AtlasRequestRejected');
  expect(stdout.trim().split('\n')).toHaveLength(3);
  expect(stdout).not.toContain('again');
  expect(await requestsOf('InvalidRequest')).toMatchObject({
    ...{ code: 0, stdout: '' },
    stderr: expect.stringContaining('left out 4 runs'),
  });

  const before = tokens();
  const start = ['--json', 'start', '--from', '-'];
  const [first = ''] = stdout.split('\n');
  expect(await fixture.piped(`${first}\n`, ...start, '--wait')).toMatchObject({ code: 0 });
  const all = await fixture.piped(stdout, ...start, '--wait');
  expect(summaryIn(all)).toEqual({ total: 3, counts: { delivered: 2, skipped: 1 } });
  await expectDelivered([again, onDemand, scheduled]);
  const more = await fixture.piped((await requestsOf('AtlasRequestRejected')).stdout, ...start);
  expect(summaryIn(more)).toEqual({ total: 3, counts: { skipped: 3 } });
  expect(tokens()).toBe(before + 3);
});

describe('redeliver --all', () => {
  /** Lists the undelivered runs of the task queue, which may be of other tests, too. */
  async function listUndelivered(own: readonly PrepareRequest[]): Promise<string[]> {
    return eventually('the runs in the list', async () => {
      const listed = objectsIn(await fixture.client('--json', 'list', '--undelivered'));
      const ids = new Set(listed.map(({ workflowId }) => String(workflowId)));
      return own.every((request) => ids.has(idOf(request))) && [...ids].sort();
    });
  }

  it('tries each undelivered run of the task queue, and delivers once the sink is repaired', async () => {
    const own = await startUndelivered(2);
    const ids = await listUndelivered(own);
    const rejected = await fixture.client('--json', 'redeliver', '--all');
    expect(rejected.code).toBe(5);
    const actions = outcomesIn(rejected).map(({ action, workflowId, reason }) => [
      workflowId,
      action,
      reason,
    ]);
    expect(actions.sort()).toEqual(
      ids.map((id) => [id, 'undelivered', expect.stringMatching(/^SinkRejected: /)]),
    );

    const elsewhere = await fixture.client('redeliver', '--all', '--task-queue', `nobody-${newOrgId()}`);
    expect(elsewhere).toEqual({ code: 0, stdout: '0 undelivered runs\n', stderr: '' });

    fixture.blocked.repair();
    const { code, stdout, stderr } = await fixture.client('redeliver', '--all');
    const stored = fixture.blocked.tokens().length;
    fixture.blocked.block();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const id of ids)
      expect(stdout).toMatch(new RegExp(`^\\d/${ids.length} {2}delivered {2}${id}: file `, 'm'));
    expect(stdout).toMatch(new RegExp(`\n${ids.length} undelivered runs: ${ids.length} delivered\n$`));
    expect(stored).toBe(ids.length);
    await expectDelivered(own);
  });

  it('delivers to another sink by --sink', async () => {
    const own = await startUndelivered(1);
    await listUndelivered(own);
    expect(await fixture.client('redeliver', '--all', '--sink', 'files')).toMatchObject({ code: 0 });
    for (const request of own)
      expect(await fixture.deployment.handleOf(request).result()).toMatchObject({ sink: 'files' });
  });

  it('says how many open runs it does not count', async () => {
    const { atlas, deployment, temporal } = fixture;
    atlas.faults({ on: 'linkTokens', status: 429, times: 10_000 });
    const { workflowId } = await deployment.start();
    await untilListed(`WorkflowId = '${workflowId}'`, 1);
    const { stderr } = await fixture.client('redeliver', '--all', '--sink', 'files');
    atlas.clearFaults();
    expect(stderr).toMatch(
      /^note: not counted: \d open runs?, creating a token or in the first round of delivery\n/,
    );
    await temporal.workflow.getHandle(workflowId).result();
  });
});
