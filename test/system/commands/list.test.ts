import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { RawValue, defaultPayloadConverter, type Payload } from '@temporalio/common';
import pMap from 'p-map';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { formatCount } from '../../../src/shared/text';
import { WITH_BLOCKED_SINK, blockSink } from '../../support/blocked-sink';
import { createCommandFixture, type CommandFixture } from '../../support/command-line';
import { end } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { newOrgId } from '../../support/ids';
import { sharedTemporal, untilListed } from '../../support/installation';
import { objectsIn } from '../../support/run-command';
import { statusOf } from '../../support/updates';

const on = 'linkTokens';
const OTHER_ORG = newOrgId();
const RUNS = 35;
/** Those that have ended before the time of `--since`. */
const EARLY = 9;
/** The failures of attempts that created nothing. */
const NOTHING_CREATED = ['InvalidRequest', 'AtlasRequestRejected', 'AtlasUnavailable'];

/** A payload of a client with a codec of its own. */
const FOREIGN = RawValue.fromPayload({
  metadata: { encoding: Buffer.from('binary/encrypted') },
  data: Buffer.from('x'),
});

/** Reads the history of one run without the code under test. */
interface Scanned {
  runId: string;
  request: PrepareRequest;
  open: boolean;
  undelivered: boolean;
  recoverable: boolean;
  unconfirmed: number;
  failure: string | null;
}

let fixture: CommandFixture;
let client: Client;
let scanned: Scanned[];
let since: string;

const runs = (count: number, more: () => Partial<PrepareRequest> = () => ({})) =>
  Array.from({ length: count }, () => fixture.deployment.newRequest(more()));

async function startAll(requests: readonly PrepareRequest[]): Promise<void> {
  await pMap(requests, (request) => fixture.deployment.start(request), { concurrency: 20 });
  for (const request of requests) await eventually('a run at rest', () => isAtRest(request));
}

/** It has ended, or waits for minutes. */
async function isAtRest(request: PrepareRequest): Promise<boolean> {
  const handle = fixture.deployment.handleOf(request);
  const { raw, status } = await handle.describe();
  if (status.name !== 'RUNNING') return true;
  const inAMinuteMs = Date.now() + 60_000;
  if (Number(raw.pendingActivities?.[0]?.scheduledTime?.seconds) * 1000 > inAMinuteMs) return true;
  const { nextTryAt } = await statusOf(handle);
  return nextTryAt !== null && Date.parse(nextTryAt) > inAMinuteMs;
}

async function scan({ workflowId, runId }: { workflowId: string; runId: string }): Promise<Scanned> {
  const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  const types = new Map<string, string>();
  const scanned = { undelivered: false, unconfirmed: 0 };
  for (const event of events ?? []) {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled) types.set(String(event.eventId), scheduled.activityType?.name ?? '');
    const failed = event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes;
    const type = types.get(String(failed?.scheduledEventId));
    if (type === 'deliverLinkToken') scanned.undelivered = true;
    const failure = failed?.failure?.applicationFailureInfo?.type ?? '';
    if (type === 'createLinkToken' && !NOTHING_CREATED.includes(failure)) scanned.unconfirmed += 1;
  }
  const [argument] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  const { status } = await client.workflow.getHandle(workflowId, runId).describe();
  const open = status.name === 'RUNNING';
  const end = events?.at(-1)?.workflowExecutionFailedEventAttributes?.failure?.applicationFailureInfo;
  return {
    runId,
    request: defaultPayloadConverter.fromPayload<PrepareRequest>(argument as Payload),
    open,
    undelivered: open && scanned.undelivered,
    recoverable: !open && scanned.undelivered,
    unconfirmed: scanned.unconfirmed,
    failure: end?.type ?? null,
  };
}

async function listed(...filters: string[]) {
  const { code, stdout, stderr } = await fixture.client('--json', 'list', ...filters);
  expect(code).toBe(0);
  expect(stderr).toMatch(
    /^note: the list may lag by a moment; runs that closed before \d{4}-\S+ are deleted\n/,
  );
  return objectsIn({ stdout });
}

beforeAll(async () => {
  fixture = await createCommandFixture({
    sinks: { ...(WITH_BLOCKED_SINK['sinks'] as object), full: { type: 'file', directory: 'full' } },
  });
  const { atlas, deployment } = fixture;
  ({ client } = await sharedTemporal());
  blockSink(deployment);
  writeFileSync(path.join(deployment.folder, 'full'), 'a file where a folder should be');
  await deployment.startWorker();

  await startAll([
    ...runs(5),
    ...runs(2, () => ({ orgId: OTHER_ORG })),
    ...runs(2, () => ({ sink: 'none' })),
  ]);
  since = new Date().toISOString();
  const unlucky = runs(4, () => ({ changeReference: 'CHG-2' }));
  atlas.faults([
    { on, status: 503, times: 6 },
    { on, status: 403, times: 2 },
  ]);
  await startAll(unlucky);
  const blocked = runs(4, () => ({ sink: 'blocked' }));
  const full = runs(6, () => ({ sink: 'full', requestedBy: 'bo' }));
  await startAll([
    ...runs(4, () => ({ requestedBy: 'ana' })),
    ...runs(4, () => ({ sink: 'blocked', requestedBy: 'ana', changeReference: 'CHG-1' })),
    ...blocked,
    ...full,
  ]);
  atlas.faults({ on, status: 503, headers: { 'retry-after': '3000' } });
  const waiting = runs(4);
  // The circuit breaker rejects all others.
  await startAll(waiting.slice(0, 1));
  await startAll(waiting.slice(1));
  atlas.clearFaults();
  for (const [i, how] of (['cancel', 'terminate'] as const).entries())
    for (const some of [blocked, full, waiting])
      await end(deployment.handleOf(some[i] as PrepareRequest), how);

  const query = `TaskQueue = '${deployment.taskQueue}'`;
  await untilListed(query, RUNS);
  const all: { workflowId: string; runId: string }[] = [];
  for await (const run of client.workflow.list({ query })) all.push(run);
  scanned = await pMap(all, scan, { concurrency: 20 });
  const stillOpen = scanned.filter((run) => run.open).length;
  await untilListed(`${query} AND ExecutionStatus = 'Running'`, stillOpen);
}, 180_000);

describe('of runs with mixed outcomes, list finds exactly what a scan of all histories finds:', () => {
  const org = () => fixture.atlas.account.orgId;

  it.each<[filters: string[], matches: (run: Scanned) => boolean]>([
    [[], () => true],
    [['--unconfirmed'], ({ unconfirmed }) => unconfirmed > 0],
    [['--undelivered'], ({ undelivered }) => undelivered],
    [['--recoverable'], ({ recoverable }) => recoverable],
    [
      ['--recoverable', '--failure', 'Cancelled'],
      ({ recoverable, failure }) => recoverable && failure === 'Cancelled',
    ],
    [['--failure', 'AtlasRequestRejected'], ({ failure }) => failure === 'AtlasRequestRejected'],
    [
      ['--failure', 'Cancelled', '--unconfirmed'],
      ({ failure, unconfirmed }) => failure === 'Cancelled' && unconfirmed > 0,
    ],
    [['--org', OTHER_ORG], ({ request }) => request.orgId === OTHER_ORG],
  ])('%p', async (filters, matches) => {
    const expected = scanned.filter(matches);
    expect(expected).not.toEqual([]);
    const found = await listed(...filters);
    expect(found.map(({ runId }) => runId).sort()).toEqual(expected.map(({ runId }) => runId).sort());
    const unconfirmedOf = new Map(expected.map(({ runId, unconfirmed }) => [runId, unconfirmed]));
    for (const { runId, unconfirmedTokens } of found) {
      expect(unconfirmedTokens).toBe(unconfirmedOf.get(String(runId)));
    }
  });

  it('since a time, those that are open or closed after it', async () => {
    expect(await listed('--since', since)).toHaveLength(RUNS - EARLY);
    expect(await listed('--since', since, '--org', OTHER_ORG)).toEqual([]);
  });

  it('in the order of their ends, the open ones first', async () => {
    const ends = (await listed()).map(({ closedAt }) => (closedAt as string | null) ?? 'open');
    expect(ends).toEqual(ends.toSorted().reverse());
  });

  it('as a table, newest first, with what each run waits for', async () => {
    const { stdout, stderr } = await fixture.client('list', '--undelivered');
    expect(stderr).toMatch(
      /\nnote: not counted: \d+ open runs?, creating a token or in the first round of delivery\n/,
    );
    const [header, ...rows] = stdout.trimEnd().split('\n');
    expect(header).toMatch(/^STARTED +STATE +RUN$/);
    expect(rows.pop()).toBe(formatCount(scanned.filter(({ undelivered }) => undelivered).length, 'run'));
    const started = rows.map((row) => row.slice(0, row.indexOf('Z')));
    expect(started.toSorted().reverse()).toEqual(started);
    for (const row of rows)
      expect(row).toMatch(/^\S+Z +undelivered +live-migration-prep\/\S+ +waits on sink (full|blocked)$/);

    const cancelled = await fixture.client('list', '--failure', 'Cancelled', '--recoverable');
    expect(cancelled.stdout).toMatch(
      new RegExp(
        `failed +\\S+ +recoverable token: live-migration-prep recover --org ${org()} --source-org \\S+ --run-id \\S+; Cancelled: .*\n`,
      ),
    );
  });

  it('and says what it cannot know', async () => {
    const { stderr } = await fixture.client('list', '--unconfirmed');
    expect(stderr).toMatch(
      /\nnote: not shown: \d+ terminated runs?\. A request in progress at the termination is in no count\./,
    );
  });

  it('with --unconfirmed, each attempt that may have created a token, the ids of keys of that time and the command that lists its events', async () => {
    const listedRuns = (await listed('--unconfirmed')) as unknown as {
      runId: string;
      unconfirmed: {
        attempts: Record<
          'startedAt' | 'endedAt' | 'reason' | 'keyIdFrom' | 'keyIdTo' | 'eventsCommand',
          string
        >[];
      };
    }[];
    const attempts = listedRuns.flatMap(({ unconfirmed }) => unconfirmed.attempts);
    const lost = fixture.atlas.posts().filter(({ status }) => status === 503);
    expect(attempts).toHaveLength(lost.length);
    const counts = new Map(scanned.map(({ runId, unconfirmed }) => [runId, unconfirmed]));
    for (const { runId, unconfirmed } of listedRuns)
      expect(unconfirmed.attempts).toHaveLength(counts.get(runId) ?? NaN);
    for (const { startedAt } of lost) {
      const keyId = Math.floor(Date.parse(startedAt) / 1000).toString(16);
      const around = attempts.filter(
        (attempt) =>
          attempt.startedAt <= startedAt &&
          startedAt <= attempt.endedAt &&
          attempt.keyIdFrom < keyId &&
          keyId < attempt.keyIdTo,
      );
      expect(around).not.toEqual([]);
    }
    for (const { reason, eventsCommand } of attempts) {
      expect(reason).toMatch(/^Atlas returned 503/);
      expect(eventsCommand).toMatch(
        RegExp(
          `^atlas api events listOrgEvents --orgId ${org()} --minDate 2\\S+:\\d\\dZ --maxDate 2\\S+:\\d\\dZ$`,
        ),
      );
    }
    const { stdout } = await fixture.client('list', '--unconfirmed');
    expect(stdout).toMatch(
      / {2}\S+Z to \S+Z: Atlas returned 503 .*\n {4}a key made then has an id from [\da-f]{8}… to [\da-f]{8}…; the events of that time: atlas api /,
    );
    expect(stdout).toMatch(/\n {2}token \S{36} arrived at 2\S+Z: its key is accounted for\n/);
  });

  it('with --details, the request of each, and its failure or its receipt, to search for anything in it', async () => {
    const runs = await listed('--details');
    const requests = new Map(scanned.map(({ runId, request }) => [runId, request]));
    for (const { runId, state, request, failure, receipt } of runs) {
      expect(request).toMatchObject({ sourceOrgId: null, requestedBy: null, ...requests.get(String(runId)) });
      if (state === 'failed') expect(failure).toMatchObject({ type: expect.any(String) });
      if (state === 'delivered') expect(receipt).toMatchObject({ orgId: requests.get(String(runId))?.orgId });
    }
    const { stdout } = await fixture.client('list', '--details');
    const found = stdout.split('\n').filter((line) => line.includes('"requestedBy":"ana"'));
    expect(found).toHaveLength(8);
    expect(found.filter((line) => line.includes('"tokenSha256":"'))).toHaveLength(4);
  });
});

describe.each<[what: string, args: unknown[], memo: Record<string, unknown>]>([
  ['a memo in a foreign encoding', [], { deliveryId: FOREIGN, note: FOREIGN }],
  ['a request in a foreign encoding', [FOREIGN], {}],
  [
    'a request of anything',
    [{ orgId: { toString: 1 }, sourceOrgId: 5, sink: [], requestedBy: { valueOf: 1 }, accessListIps: 'x' }],
    { step: 'undelivered', sink: { toString: 1 }, unconfirmedTokens: 'x', deliveryId: {} },
  ],
])('a run of a stranger with %s', (_what, args, memo) => {
  const orgId = newOrgId();
  const workflowId = `live-migration-prep/${orgId}`;

  it.each(['open', 'closed'])('does not end a command while it is %s', async (state) => {
    const { taskQueue } = fixture.deployment;
    const handle = await client.workflow.start('prepareLiveMigration', {
      ...{ workflowId, taskQueue, args, memo },
      ...(state === 'open' && { startDelay: '1 day' }),
    });
    if (state === 'closed') await handle.result().catch(() => undefined);
    await untilListed(`WorkflowId = '${workflowId}'`, state === 'open' ? 1 : 2);
    const isOpen = state === 'open';
    for (const [command, code] of [
      ['list', 0],
      ['list --undelivered', 0],
      ['list --recoverable', 0],
      ['list --unconfirmed', 0],
      ['list --details', 0],
      ['list --requests', 0],
      [`watch --org ${orgId} --timeout 2s`, isOpen ? (memo['step'] ? 5 : 4) : 1],
      [`start --org ${orgId} --ip 192.31.196.7 --sink blocked`, isOpen ? 6 : 0],
      ['redeliver --all --sink none', 5],
    ] as const) {
      const exit = await fixture.client(...command.split(' '));
      expect([command, exit]).toMatchObject([command, { code }]);
      expect(exit.stderr).not.toMatch(/Unknown encoding|Unexpected token|Cannot convert/);
    }
    // An Update may have ended it.
    if (isOpen) await handle.terminate().catch(() => undefined);
  });
});
