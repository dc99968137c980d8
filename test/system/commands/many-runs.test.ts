import type { PrepareRequest } from '../../../src/contract/schemas';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { eventually } from '../../support/eventually';
import { newOrgId } from '../../support/ids';
import type { Handle } from '../../support/installation';
import { objectsIn, type ClientExit } from '../../support/run-command';
import { end, endingOf, untilStep } from '../../support/runs';
import { serveRejectingGrpcProxy } from '../../support/servers';
import { untilListed } from '../../support/temporal';
import { fixture } from './shared-fixture';

afterEach(() => fixture().atlas.clearFaults());

/** Starts the requests with --json, so that their outcomes can be read. */
function startFrom(requests: readonly object[], ...options: string[]) {
  const stdin = requests.map((request) => `${JSON.stringify(request)}\n`).join('');
  return fixture().start(['--json', 'start', '--from', '-', ...options], { stdin });
}

/** The outcomes of runs with --json, in the order of the lines of the file. */
const outcomesIn = (exit: ClientExit) =>
  objectsIn(exit)
    .filter(({ action }) => action)
    .sort((x, y) => Number(x['line']) - Number(y['line']));

/** The outcome of the command, which it prints last. */
const summaryIn = (exit: ClientExit) => objectsIn(exit).at(-1);

const newRequest = (sink = 'files') => fixture().installation.newRequest({ sink });
const tokens = () => fixture().atlas.createdTokens().length;

/** Expects that each run delivered a token of its own. */
async function expectDelivered(requests: readonly PrepareRequest[]): Promise<void> {
  const endings = await Promise.all(
    requests.map((request) => endingOf(fixture().installation.handleOf(request))),
  );
  const ids = endings.map(({ receipt }) => receipt?.deliveryId);
  expect(ids).not.toContain(undefined);
  expect(new Set(ids).size).toBe(requests.length);
}

async function startUndelivered(): Promise<PrepareRequest> {
  const request = newRequest('blocked');
  await untilStep(await fixture().installation.start(request), 'undelivered');
  return request;
}

/** Ends an undelivered run so that it leaves its token. Returns that run. */
async function leaveToken(request: PrepareRequest, how: 'cancel' | 'terminate'): Promise<Handle> {
  const { installation, newestRunId, temporal } = fixture();
  const { workflowId } = installation.handleOf(request);
  const left = temporal.workflow.getHandle(workflowId, await newestRunId(workflowId));
  await end(left, how);
  return left as Handle;
}

/** Returns the note with which a start names the token that a run left. */
async function noteOn(left: Handle): Promise<string> {
  const { workflowId, runId, memo = {} } = await left.describe();
  const orgId = workflowId.split('/')[1];
  const token = JSON.stringify({ orgId, publicApiKey: memo['publicApiKey'] });
  expect(memo).toMatchObject({ publicApiKey: expect.stringMatching(/^[a-z]{8}$/) });
  return (
    `note: run ${runId} left token ${String(memo['deliveryId'])}: look in sink blocked first;` +
    ` if the token is not there, revoke it: \`echo '${token}' | live-migration-prep revoke --from -\``
  );
}

describe('start --from', () => {
  it('when interrupted says what goes on, and when repeated starts the rest', async () => {
    const requests = Array.from({ length: 30 }, () => newRequest());
    const before = tokens();
    let starts = 0;
    const stopAfterTen = {
      test(call: string) {
        if (call.endsWith('/StartWorkflowExecution')) starts += 1;
        if (starts > 10) command.interrupt();
        return starts > 10;
      },
    };
    const proxy = await serveRejectingGrpcProxy(fixture().address, stopAfterTen);
    const command = startFrom(requests, '--address', proxy.address);
    const exit = await command.exited;
    expect(exit.code).toBe(130);
    expect(exit.stderr).toMatch(
      /\nruns that were started go on; to start the rest, and to follow all, repeat the command\n$/,
    );
    expect(outcomesIn(exit).filter(({ action }) => action !== 'started')).toEqual([]);

    const again = await startFrom(requests).exited;
    expect(again.code).toBe(0);
    expect(again.stderr).toMatch(/^((\d+ (started|skipped), )+\d+ to start\n)*$/);
    const outcomes = outcomesIn(again).sort((a, b) => Number(a.line) - Number(b.line));
    expect(outcomes.map(({ line, workflowId }) => [line, workflowId])).toEqual(
      requests.map((request, index) => [index + 1, workflowIdFor(request)]),
    );
    await expectDelivered(requests);
    expect(tokens()).toBe(before + requests.length);
    // The starts in progress at the interrupt have failed since, and printed nothing.
    expect(command.output()).toBe(exit.stdout + exit.stderr);
  });

  it('starts only the pairs without an open run or a token, and says why', async () => {
    const { blockedSink, installation } = fixture();
    const delivered = newRequest();
    await endingOf(await installation.start(delivered));
    const [open, terminated] = [await startUndelivered(), await startUndelivered()];
    const note = await noteOn(await leaveToken(terminated, 'terminate'));
    const requests = [delivered, newRequest(), open, terminated];
    const before = tokens();
    blockedSink.repair();
    const dryRun = await startFrom(requests, '--dry-run').exited;
    blockedSink.block();
    expect(dryRun.code).toBe(0);
    expect(dryRun.stderr).toContain(note);
    expect(outcomesIn(dryRun)).toMatchObject([
      { action: 'skipped', state: 'delivered' },
      { action: 'would start', reason: 'into sink files' },
      { action: 'skipped', reason: 'a run of an equal request is open' },
      { action: 'would start', reason: 'into sink blocked' },
    ]);
    const wrong = await startFrom([newRequest('nowhere'), newRequest('blocked')], '--dry-run')
      .exited;
    expect(wrong.code).toBe(1);
    expect(
      outcomesIn(wrong).map(({ action, reason }) => `${String(action)}: ${String(reason)}`),
    ).toEqual([
      expect.stringMatching(/^failed: nothing was started: .*; sink "nowhere" is not a sink of/),
      expect.stringMatching(/^failed: nothing was started: .*; error +sink blocked: .* is not a/),
    ]);
    expect(tokens()).toBe(before);
    const waited = await startFrom(requests, '--wait').exited;
    expect(waited.code).toBe(5);
    expect(waited.stderr).toContain(note);
    expect(outcomesIn(waited)).toMatchObject([
      { action: 'skipped', state: 'delivered' },
      { action: 'delivered', runId: expect.any(String), receipt: { sink: 'files' } },
      { action: 'undelivered', type: 'SinkRejected' },
      { action: 'undelivered', type: 'SinkRejected' },
    ]);
    const exit = await startFrom([open, terminated]).exited;
    const skipped = { action: 'skipped', runId: expect.any(String) };
    expect(outcomesIn(exit)).toMatchObject([skipped, skipped]);
    expect(tokens()).toBe(before + 2);
  });
});

it('start --from refuses a request that differs from a delivered one, and skips an equal one', async () => {
  const [equal, corrected, moved] = [newRequest(), newRequest(), newRequest()];
  const wave = [equal, corrected, moved];
  expect((await startFrom(wave, '--wait').exited).code).toBe(0);
  const before = tokens();
  const changed = [
    { ...equal, changeReference: 'CHG-2' },
    { ...corrected, accessListIps: ['192.31.196.9'] },
    { ...moved, sink: 'blocked' },
  ];
  for (const option of ['--wait', '--dry-run']) {
    fixture().blockedSink.repair();
    const exit = await startFrom(changed, option).exited;
    fixture().blockedSink.block();
    expect(exit.code).toBe(6);
    expect(outcomesIn(exit)).toMatchObject([
      { action: 'skipped', reason: 'a token was delivered to sink files before' },
      { action: 'refused', type: 'DifferentRequest', fields: ['accessListIps'] },
      { action: 'refused', type: 'DifferentRequest', fields: ['sink'] },
    ]);
  }
  expect(await startFrom(wave, '--wait').exited).toMatchObject({ code: 0 });
  expect(tokens()).toBe(before);
});

it('start --from replaces every token that a run left, once, and names its API key', async () => {
  const { atlas, blockedSink } = fixture();
  const requests = [await startUndelivered(), await startUndelivered()] as const;
  atlas.faults({ on: 'deleteApiKey', status: 403 });
  const left = [
    await leaveToken(requests[0], 'cancel'),
    await leaveToken(requests[1], 'terminate'),
  ];
  const notes = await Promise.all(left.map(noteOn));

  blockedSink.repair();
  const before = tokens();
  const started = await startFrom(requests, '--wait').exited;
  blockedSink.block();
  expect(outcomesIn(started).map(({ action }) => action)).toEqual(['delivered', 'delivered']);
  for (const note of notes) expect(started.stderr).toContain(note);
  const again = await startFrom(requests).exited;
  expect(outcomesIn(again).map(({ action }) => action)).toEqual(['skipped', 'skipped']);
  for (const note of notes) expect(again.stderr).not.toContain(note);
  expect(tokens()).toBe(before + 2);
});

it('list --details --json | start --from - repeats every run that Atlas rejected, once', async () => {
  const { atlas, installation, temporal } = fixture();
  const { taskQueue } = installation;
  const [again, onDemand, scheduled] = [newRequest(), newRequest(), newRequest()];
  const since = new Date().toISOString();
  atlas.faults({ on: 'linkTokens', status: 403, times: 3 });
  await endingOf(await installation.start({ ...again, again: true }));
  await endingOf(await installation.start(onDemand));
  const execute = (type: string, workflowId: string, ...args: unknown[]) =>
    temporal.workflow.execute(type, { workflowId, taskQueue, args }).catch(() => undefined);
  await execute('prepareOnSchedule', `${workflowIdFor(scheduled)}/schedule`, {
    request: scheduled,
    always: true,
  });
  await execute('prepareLiveMigration', `live-migration-prep/${newOrgId()}`, null);
  const failedRuns = [
    `TaskQueue = '${taskQueue}'`,
    `StartTime > '${since}'`,
    "ExecutionStatus = 'Failed'",
    "WorkflowType = 'prepareLiveMigration'",
  ];
  await untilListed(failedRuns.join(' AND '), 4);

  const listFailed = async (failure: string) => {
    const options = ['--since', since, '--failure', failure, '--details', '--json'];
    return objectsIn(await fixture().client('list', ...options));
  };
  const invalid = await startFrom(await listFailed('InvalidRequest')).exited;
  expect(invalid.code).toBe(2);
  expect(invalid.stderr).toContain('line 1: orgId is missing');

  const rejected = await listFailed('AtlasRequestRejected');
  const elsewhere = await startFrom(rejected, '--task-queue', `nobody-${newOrgId()}`).exited;
  expect(elsewhere.code).toBe(2);
  expect(elsewhere.stderr).toContain(`line 1 is a run of task queue ${taskQueue}, not nobody-`);

  const before = tokens();
  const startRejected = async () => summaryIn(await startFrom(rejected, '--wait').exited);
  expect(await startRejected()).toEqual({ total: 3, counts: { delivered: 3 } });
  await expectDelivered([again, onDemand, scheduled]);
  expect(await startRejected()).toEqual({ total: 3, counts: { skipped: 3 } });
  expect(tokens()).toBe(before + 3);
});

it('redeliver --all delivers the undelivered runs of one task queue', async () => {
  const { atlas, client, installation } = fixture();
  const requests = [await startUndelivered(), await startUndelivered()];
  atlas.faults({ on: 'linkTokens', status: 429, times: 10_000 });
  const { workflowId } = await installation.start();
  await untilListed(`WorkflowId = '${workflowId}'`, 1);
  // Runs of other tests may be undelivered, too.
  const total = await eventually('the runs in the list', async () => {
    const rows = objectsIn(await client('--json', 'list', '--undelivered'));
    const ids = rows.map((run) => run['workflowId']);
    return requests.every((request) => ids.includes(workflowIdFor(request))) && ids.length;
  });
  const rejected = await client('--json', 'redeliver', '--all');
  expect(rejected.code).toBe(5);
  expect(outcomesIn(rejected)[0]?.['reason']).toMatch(/^SinkRejected: /);
  expect(summaryIn(rejected)).toMatchObject({ total, counts: { undelivered: total } });

  const ofNobody = await client('redeliver', '--all', '--task-queue', `nobody-${newOrgId()}`);
  expect(ofNobody).toEqual({
    code: 0,
    stdout: '0 undelivered runs\n',
    stderr: expect.stringMatching(
      /^note: left out [1-9]\d* undelivered runs? on other task queues: .* --task-queue\n$/,
    ),
  });

  const elsewhere = await client('--json', 'redeliver', '--all', '--sink', 'files');
  expect(elsewhere.code).toBe(0);
  expect(summaryIn(elsewhere)).toEqual({ total, counts: { delivered: total } });
  await expectDelivered(requests);
});
