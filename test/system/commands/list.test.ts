import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { RawValue } from '@temporalio/common';
import { devServerEnv } from '../../../dev/temporal/dev-server-env';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { cleanUpLater } from '../../support/clean-up';
import { createCommandFixture, type CommandFixture } from '../../support/command-line';
import { eventually } from '../../support/eventually';
import { newOrgId } from '../../support/ids';
import { LONG_ROUNDS } from '../../support/installation';
import { linesLike, objectsIn, run } from '../../support/run-command';
import { end, endingOf, statusOf, untilDeliveryFails, untilStep } from '../../support/runs';
import { untilListed } from '../../support/temporal';

const on = 'linkTokens' as const;
const OTHER_ORG = newOrgId();

/**
 * Not the fixture of the group: tests expect no other run, and a 503 keeps the circuit breaker of
 * its worker open.
 */
let fixture: CommandFixture;
/** What became of each run, by its run id. */
const runs = new Map<string, string>();
let since: string;

async function start(what: string, more: Partial<PrepareRequest> = {}) {
  const handle = await fixture.installation.start(fixture.installation.newRequest(more));
  runs.set(await fixture.newestRunId(handle.workflowId), what);
  return handle;
}

async function startUndelivered(what: string) {
  const handle = await start(what, { sink: 'blocked', requestedBy: 'ana' });
  await untilStep(handle, 'undelivered');
  return handle;
}

/** Runs `list` with `--json`. */
async function listed(...filters: string[]) {
  const exit = await fixture.client('--json', 'list', ...filters);
  expect(exit.code).toBe(0);
  expect(exit.stderr).toMatch(
    /^note: the list may lag, and loses closed runs after the retention period\n/,
  );
  return objectsIn(exit);
}

beforeAll(async () => {
  // An undelivered run stays so: its next round is later than the end of this file.
  const retries = { ...(LONG_ROUNDS['retries'] as object), maximumIntervalMs: 600_000 };
  fixture = await createCommandFixture({ ...LONG_ROUNDS, retries });
  const { atlas, installation } = fixture;

  await endingOf(await start('of another organization', { orgId: OTHER_ORG }));
  since = new Date().toISOString();
  atlas.faults({ on, status: 503 });
  await endingOf(await start('delivered after a loss', { requestedBy: 'ana' }));
  atlas.faults([
    { on, status: 503 },
    { on, status: 403 },
  ]);
  await endingOf(await start('rejected after a loss'));

  await startUndelivered('undelivered');
  await end(await startUndelivered('cancelled'), 'cancel');
  const refused = await startUndelivered('cancelled with a key');
  atlas.faults({ on: 'deleteApiKey', status: 403 });
  await end(refused, 'cancel');
  // In the first round, no failure of a delivery is known yet.
  rmSync(installation.tokensFolder, { recursive: true });
  const inFirstRound = await start('terminated', { requestedBy: 'ana' });
  await untilDeliveryFails(inFirstRound);
  await end(inFirstRound, 'terminate');
  mkdirSync(installation.tokensFolder);

  atlas.faults({ on, status: 503, headers: { 'retry-after': '3000' } });
  const waiting = await start('waiting after a loss');
  await eventually('a wait', async () => (await statusOf(waiting)).nextAttemptAt);
  await end(await start('terminated without a token'), 'terminate');

  const query = `TaskQueue = '${installation.taskQueue}'`;
  await untilListed(query, runs.size);
  await untilListed(`${query} AND ExecutionStatus = 'Running'`, 2);
});

const LOST = ['delivered after a loss', 'rejected after a loss', 'waiting after a loss'];

it.each<[filters: string[], found: (all: string[]) => string[]]>([
  [[], (all) => all],
  [['--undelivered'], () => ['undelivered']],
  [['--abandoned'], () => ['cancelled with a key', 'terminated']],
  [['--abandoned', '--failure', 'Cancelled'], () => ['cancelled with a key']],
  [
    ['--failure', 'AtlasRequestRejected'],
    () => ['of another organization', 'rejected after a loss'],
  ],
  [['--org', OTHER_ORG], () => ['of another organization']],
  [['--since', ''], (all) => all.filter((what) => what !== 'of another organization')],
])(
  'list %j finds the runs that match all filters, with their unconfirmed tokens',
  async (filters, select) => {
    const names = (await listed(...filters.map((filter) => filter || since))).map(
      ({ runId, unconfirmedTokens }) => {
        const what = runs.get(String(runId)) ?? '';
        expect([what, unconfirmedTokens]).toEqual([what, LOST.includes(what) ? 1 : 0]);
        return what;
      },
    );
    expect(names.sort()).toEqual(select([...runs.values()]).sort());
  },
);

it('list shows the runs of every task queue, with its name, unless one is given', async () => {
  const { address, client, temporal } = fixture;
  const org = newOrgId();
  const [typo, other] = [`typo-${org}`, `other-${org}`];
  const start = async (taskQueue: string) => {
    const workflowId = `live-migration-prep/${org}/${newOrgId()}`;
    await temporal.workflow.start('prepareLiveMigration', { workflowId, taskQueue, args: [] });
    cleanUpLater(() => temporal.workflow.getHandle(workflowId).terminate());
  };
  await Promise.all([typo, typo, other].map(start));
  await untilListed(`WorkflowId STARTS_WITH 'live-migration-prep/${org}'`, 3);
  const onAny = await run(['list', '--org', org], devServerEnv(address));
  const queues = [...onAny.stdout.matchAll(/ on task queue (\S+)$/gm)].map(([, queue]) => queue);
  expect(queues.sort()).toEqual([other, typo, typo]);
  expect(onAny.stdout).toMatch(/\n3 runs\n$/);
  const onTypo = await client('--task-queue', typo, 'list', '--org', org);
  expect(onTypo.stdout).toMatch(/\n2 runs\n$/);
  expect(onTypo.stdout).not.toContain('on task queue');
  expect(await client('list', '--org', org)).toMatchObject({ stdout: '0 runs\n' });
});

describe('list', () => {
  it('prints open runs first, then the closed ones, the latest first', async () => {
    const ends = (await listed()).map(({ closedAt }) => (closedAt as string | null) ?? 'open');
    expect(ends).toEqual(ends.toSorted().reverse());
  });

  it('prints a table with what each run waits for, or the command that helps', async () => {
    const { stdout } = await fixture.client('list', '--undelivered');
    expect(stdout).toMatch(
      linesLike([
        /^STARTED +STATE +RUN/,
        /\S+ ago +undelivered +\S+\/\S+ +for sink blocked; SinkRejected; next attempt at 2\S+Z/,
        /1 run\n$/,
      ]),
    );
    const detailed = await fixture.client('list', '--undelivered', '--details');
    expect(detailed.stdout).toMatch(
      /for sink blocked; SinkRejected: .* is not a directory.*; next attempt at 2/,
    );
    const exit = await fixture.client('list', '--failure', 'Cancelled', '--abandoned');
    expect(exit.stdout).toMatch(
      /failed +\S+ +Cancelled; token \S+ may not have arrived; its API key is [a-z]{8}\n1 run\n$/,
    );
  });

  it('with --unconfirmed prints the attempts that may have created a token', async () => {
    const rows = await listed('--unconfirmed');
    expect(rows.map(({ runId }) => runs.get(String(runId))).sort()).toEqual(LOST.toSorted());
    const attempts = rows.flatMap(
      ({ unconfirmed }) => unconfirmed as { startedAt: string; endedAt: string }[],
    );
    const lostPosts = fixture.atlas.posts().filter(({ status }) => status === 503);
    expect(attempts).toHaveLength(lostPosts.length);
    for (const { startedAt: at } of lostPosts) {
      expect(
        attempts.filter(({ startedAt, endedAt }) => startedAt <= at && at <= endedAt),
      ).not.toEqual([]);
    }
    const { stdout, stderr } = await fixture.client('list', '--unconfirmed');
    expect(stdout).toMatch(/1 unconfirmed token\n {2}2\S+Z to 2\S+Z: Atlas returned 503 /);
    expect(stderr).toContain('\nnote: a request in progress when a run was terminated');
  });

  it('with --details prints the request of each run with its failure or its receipt', async () => {
    const details = await listed('--details');
    const of = (what: string) => details.find(({ runId }) => runs.get(String(runId)) === what);
    const [request, receipt] = [{ requestedBy: 'ana' }, { requestedBy: 'ana', sink: 'files' }];
    expect(of('delivered after a loss')).toMatchObject({ state: 'delivered', request, receipt });
    expect(of('cancelled')).toMatchObject({
      state: 'cancelled',
      request,
      failure: null,
      deliveryId: null,
      publicApiKey: null,
    });
    expect(of('cancelled with a key')).toMatchObject({
      state: 'failed',
      request,
      failure: { type: 'Cancelled' },
      publicApiKey: expect.stringMatching(/^[a-z]{8}$/),
    });
    expect(of('rejected after a loss')).toMatchObject({
      request: { sink: 'files', requestedBy: null },
    });
    const { stdout } = await fixture.client('list', '--details');
    const lines = stdout.split('\n').filter((line) => line.includes('"requestedBy":"ana"'));
    expect(lines).toHaveLength(5);
    expect(lines.filter((line) => line.includes('"tokenSha256":"'))).toHaveLength(1);
  });
});

/** A payload of a client with a codec of its own. */
const FOREIGN = RawValue.fromPayload({
  metadata: { encoding: Buffer.from('binary/encrypted') },
  data: Buffer.from('x'),
});

const MALFORMED: [args: unknown[], memo: Record<string, unknown>][] = [
  [[], { step: 'undelivered', sink: 'drop', deliveryId: FOREIGN, note: FOREIGN }],
  [[FOREIGN], {}],
  [[[1, 2]], {}],
  [
    [
      {
        orgId: { toString: 1 },
        sourceOrgId: 5,
        sink: [],
        requestedBy: { valueOf: 1 },
        accessListIps: 'x',
      },
    ],
    { step: 'undelivered', sink: { toString: 1 }, unconfirmedTokens: 'x', deliveryId: {} },
  ],
];

it('malformed runs of other clients, open or terminated, make no command fail', async () => {
  const { client, temporal } = fixture;
  const taskQueue = `nobody-${newOrgId()}`;
  const keysFile = path.join(fixture.installation.folder, 'keys.json');
  writeFileSync(keysFile, '{"results": [], "totalCount": 0}');
  const malformed = await Promise.all(
    MALFORMED.map(async ([args, memo]) => {
      const target = fixture.newTarget();
      const options = { workflowId: target.workflowId, taskQueue, args, memo };
      return { ...target, run: await temporal.workflow.start('prepareLiveMigration', options) };
    }),
  );

  async function expectCodes(state: 'IS NULL' | 'IS NOT NULL', ofDryRun: number): Promise<void> {
    await untilListed(`TaskQueue = '${taskQueue}' AND CloseTime ${state}`, MALFORMED.length);
    for (const filter of ['--unconfirmed', '--undelivered', '--abandoned', '--details']) {
      expect(await client('list', filter, '--task-queue', taskQueue)).toMatchObject({ code: 0 });
    }
    const ofKeys = [
      '--org',
      fixture.atlas.account.orgId,
      '--keys',
      keysFile,
      '--task-queue',
      taskQueue,
    ];
    expect(await client('api-keys', ...ofKeys)).toMatchObject({ code: 0 });
    for (const { requestOptions } of malformed) {
      expect(await client('start', ...requestOptions(), '--dry-run')).toMatchObject({
        code: ofDryRun,
      });
    }
  }

  await expectCodes('IS NULL', 6);
  const undelivered = await client('list', '--undelivered', '--task-queue', taskQueue);
  expect(undelivered.stdout).toContain(' for sink drop\n');
  for (const { run } of malformed) await run.terminate();
  await expectCodes('IS NOT NULL', 0);
});
