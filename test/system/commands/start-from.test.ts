import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { workflowIdFor } from '../../../src/contract/names';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { newAccount, seedOf } from '../../support/atlas';
import { CLIENT, createBlockedFixture, type BlockedFixture } from '../../support/command-line';
import { end, endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { newOrgId } from '../../support/ids';
import { sharedTemporal, untilListed } from '../../support/installation';
import { objectsIn, type ClientExit } from '../../support/run-command';
import { untilStep } from '../../support/updates';

let fixture: BlockedFixture;

beforeAll(async () => {
  fixture = await createBlockedFixture();
});

interface Result {
  line: number;
  workflowId: string;
  action: string;
  reason: string;
  runId?: string;
}

function fileOf(requests: readonly object[]): string {
  const file = path.join(fixture.deployment.folder, `${newOrgId()}.jsonl`);
  writeFileSync(file, requests.map((request) => `${JSON.stringify(request)}\n`).join(''));
  return file;
}

/** Parses the output about each line with --json, in the order of the lines. */
function resultsIn(exit: Pick<ClientExit, 'stdout'>): Result[] {
  return (objectsIn(exit) as unknown as Result[]).filter(({ line }) => line).sort((x, y) => x.line - y.line);
}

const newRequests = (count: number) => Array.from({ length: count }, () => fixture.deployment.newRequest());
const idOf = ({ orgId, sourceOrgId }: PrepareRequest) => workflowIdFor(orgId, sourceOrgId);

/** Tokens of these requests at Atlas, by the receipts. */
async function deliveryIds(requests: readonly PrepareRequest[]): Promise<Set<string>> {
  const receipts = await Promise.all(
    requests.map(async (request) => (await endingOf(fixture.deployment.handleOf(request))).receipt),
  );
  return new Set(receipts.map((receipt) => receipt?.deliveryId ?? 'none'));
}

describe('start --from', () => {
  it('killed in the middle and run again creates one token for each line', async () => {
    const requests = newRequests(Number(process.env['LINES'] ?? 30));
    const tokens = fixture.atlas.createdTokens().length;
    const from = fileOf(requests);
    const { address } = await sharedTemporal();
    const command = ['--json', '--task-queue', fixture.deployment.taskQueue, 'start', '--from', from];
    const child = spawn(process.execPath, [CLIENT, ...command], { env: embeddedEnv(address) });
    const exited = once(child, 'exit');
    let stdout = '';
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    await eventually('some results', () => stdout.split('\n').length > 10);
    child.kill('SIGKILL');
    await exited;
    const second = await fixture.client('--json', 'start', '--from', from);
    expect(second).toMatchObject({ code: 0, stderr: '' });
    expect(objectsIn(second).at(-1)).toEqual({
      total: requests.length,
      counts: { started: expect.any(Number), skipped: expect.any(Number) },
    });
    expect(resultsIn(second).map(({ line, workflowId }) => [line, workflowId])).toEqual(
      requests.map((request, i) => [i + 1, idOf(request)]),
    );
    expect(await deliveryIds(requests)).toHaveProperty('size', requests.length);
    expect(fixture.atlas.createdTokens()).toHaveLength(tokens + requests.length);

    const third = await fixture.client('--json', 'start', '--from', from);
    expect(third.code).toBe(0);
    for (const { action, reason } of resultsIn(third)) {
      expect(`${action}: ${reason}`).toMatch(/^skipped: run \S+ delivered a token for these organizations/);
    }
    expect(fixture.atlas.createdTokens()).toHaveLength(tokens + requests.length);
  });

  it('stopped by Ctrl-C prints only what it knows, and says what goes on', async () => {
    const requests = newRequests(40);
    const from = fileOf(requests);
    const command = fixture.follow('--json', 'start', '--from', from);
    await eventually('some results', () => command.output().split('\n').length > 10);
    command.interrupt();
    const exit = await command.exited;
    expect(exit.code).toBe(130);
    expect(exit.stderr).toContain('\nthe started runs go on; the same command starts the rest; list runs:');
    expect(new Set(resultsIn(exit).map(({ action }) => action))).toEqual(new Set(['started']));
    expect((await fixture.client('start', '--from', from)).code).toBe(0);
    // The faults of the next test are for its own runs.
    expect(await deliveryIds(requests)).toHaveProperty('size', requests.length);
  });

  it('names every bad line, and starts nothing', async () => {
    const requests = newRequests(40);
    const bad = requests.map((request, i) => (i % 2 === 0 ? request : { ...request, sink: '' }));
    const exit = await fixture.client('start', '--from', fileOf(bad));
    expect(exit).toMatchObject({ code: 2, stdout: '' });
    const lines = exit.stderr.split('\n').slice(1, -1);
    expect(lines).toEqual(
      Array.from({ length: 20 }, (_, i) => `  line ${2 * i + 2}: sink is empty: name a configured sink`),
    );
    for (const request of requests) {
      await expect(fixture.deployment.handleOf(request).describe()).rejects.toThrow(/not found/i);
    }
  });

  it('starts only ids without a run that is open or delivered, and reports a recoverable token', async () => {
    const { deployment } = fixture;
    const [delivered, failed, fresh] = newRequests(3) as [PrepareRequest, PrepareRequest, PrepareRequest];
    const blocked = () => deployment.newRequest({ sink: 'blocked' });
    const [open, other, cancelled] = [blocked(), blocked(), blocked()];
    await endingOf(await deployment.start(delivered));
    fixture.atlas.faults({ on: 'linkTokens', status: 403 });
    await endingOf(await deployment.start(failed));
    for (const request of [open, other, cancelled])
      await untilStep(await deployment.start(request), 'undelivered');
    await end(deployment.handleOf(cancelled), 'cancel');
    const from = fileOf([delivered, failed, fresh, open, { ...other, accessListIps: [] }, cancelled]);

    const expected = (start: string): unknown[] => [
      expect.stringMatching(/^skipped: run \S+ delivered a token for these organizations: /),
      expect.stringMatching(start),
      expect.stringMatching(start),
      expect.stringMatching(/^skipped: a run of an equal request is open \(/),
      expect.stringMatching(
        /^refused: DifferentRequest: .* is open with a different request; accessListIps: open .*, yours .*; wait for /,
      ),
      expect.stringMatching(
        /^refused: run \S+ ended with token .*Deliver it with `live-migration-prep recover --org .* --run-id \S+`\. /,
      ),
    ];
    const outcomesOf = (exit: ClientExit) =>
      resultsIn(exit).map(({ action, reason }) => `${action}: ${reason}`);
    const tokens = fixture.atlas.createdTokens().length;
    const dry = await fixture.client('--json', 'start', '--from', from, '--dry-run');
    expect(outcomesOf(dry)).toEqual(expected('^would start: into sink files$'));
    expect(dry.code).toBe(6);
    expect(fixture.atlas.createdTokens()).toHaveLength(tokens);

    const exit = await fixture.client('--json', 'start', '--from', from, '--wait');
    expect(outcomesOf(exit)).toEqual(
      expected('^delivered: file ').with(3, expect.stringMatching(/^undelivered: SinkRejected: /)),
    );
    expect(resultsIn(exit).at(-1)).toMatchObject({ refused: 'recoverable', line: 6 });
    expect(exit.code).toBe(5);
    expect(exit.stderr).toContain('6 requests: ');
    expect(fixture.atlas.createdTokens()).toHaveLength(tokens + 2);
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

/** From now on Atlas knows the test's service account with this secret only. */
function setSecretAtAtlas(clientSecret: string): void {
  const { atlas } = fixture;
  atlas.seed(seedOf([{ ...atlas.account, clientSecret }]));
  atlas.expire('accessTokens');
}

it('list --requests | start --from - brings back every run that failed on a wrong secret; once more, it starts nothing', async () => {
  const { atlas, deployment, temporal } = fixture;
  const onDemand = newRequests(10);
  const scheduled = newRequests(10);
  const [again, ...others] = onDemand as [PrepareRequest, ...PrepareRequest[]];
  const since = new Date().toISOString();
  setSecretAtAtlas(newAccount().clientSecret);
  const expectRejected = async (request: PrepareRequest) =>
    expect((await endingOf(await deployment.start(request))).type).toBe('AtlasRequestRejected');
  await expectRejected({ ...again, again: true });
  await Promise.all(others.map(expectRejected));
  await Promise.all(
    scheduled.map((request) =>
      temporal.workflow
        .execute('prepareOnSchedule', {
          workflowId: `${idOf(request)}/schedule`,
          taskQueue: deployment.taskQueue,
          args: [{ request, always: true }],
        })
        .catch(() => undefined),
    ),
  );
  // Nobody can start these again: they keep no other from it.
  for (const args of [[], [null], [{ orgId: { toString: 1 } }], [again]]) {
    const workflowId = `live-migration-prep/${newOrgId()}`;
    await temporal.workflow
      .execute('prepareLiveMigration', { workflowId, taskQueue: deployment.taskQueue, args })
      .catch(() => undefined);
  }
  await untilListed(
    `TaskQueue = '${deployment.taskQueue}' AND StartTime > '${since}' AND ExecutionStatus = 'Failed' AND WorkflowType = 'prepareLiveMigration'`,
    24,
  );
  setSecretAtAtlas(atlas.account.clientSecret);

  const failed = ['list', '--since', since, '--failure', 'AtlasRequestRejected', '--requests'];
  const { stdout } = await fixture.client(...failed);
  expect(stdout.trim().split('\n')).toHaveLength(20);
  expect(stdout).not.toContain('again');
  const invalid = await fixture.client('list', '--since', since, '--failure', 'InvalidRequest', '--requests');
  expect(invalid).toMatchObject({
    code: 0,
    stdout: '',
    stderr: expect.stringContaining('left out 4 runs'),
  });

  const tokens = atlas.createdTokens().length;
  const [first = ''] = stdout.split('\n');
  expect(await fixture.piped(`${first}\n`, 'start', '--from', '-', '--wait')).toMatchObject({ code: 0 });
  const all = await fixture.piped(stdout, '--json', 'start', '--from', '-', '--wait');
  expect(all.code).toBe(0);
  expect(objectsIn(all).at(-1)).toEqual({ total: 20, counts: { delivered: 19, skipped: 1 } });
  const once = await deliveryIds([...onDemand, ...scheduled]);
  expect(once.size).toBe(20);
  const more = await fixture.piped(
    (await fixture.client(...failed)).stdout,
    '--json',
    'start',
    '--from',
    '-',
  );
  expect(objectsIn(more).at(-1)).toEqual({ total: 20, counts: { skipped: 20 } });
  expect(atlas.createdTokens()).toHaveLength(tokens + 20);
});
