import type { Client } from '@temporalio/client';
import { RawValue } from '@temporalio/common';
import { EXIT_CODES, type ExitCode } from '../../../src/commands/cli/exit-codes';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { createCommandFixture, type CommandFixture } from '../../support/command-line';
import { eventually } from '../../support/eventually';
import { newOrgId } from '../../support/ids';
import type { Handle } from '../../support/installation';
import { objectsIn } from '../../support/run-command';
import { end, endingOf, statusOf, untilStep } from '../../support/runs';
import { untilListed } from '../../support/temporal';

const on = 'linkTokens' as const;
const OTHER_ORG = newOrgId();
/** The failures of attempts that created nothing. */
const NOTHING_CREATED = ['InvalidRequest', 'AtlasRequestRejected', 'AtlasUnavailable'];

/** Reads what the history of a run says, without the code under test. */
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

async function scan(workflowId: string, runId: string): Promise<Scanned> {
  const handle = client.workflow.getHandle(workflowId, runId);
  const [{ events }, { status }] = await Promise.all([handle.fetchHistory(), handle.describe()]);
  const types = new Map<string, string>();
  let [hasToken, isDelivered, unconfirmed] = [false, false, 0];
  for (const event of events ?? []) {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled) types.set(String(event.eventId), scheduled.activityType?.name ?? '');
    const failed = event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes;
    const type = types.get(String((event.activityTaskCompletedEventAttributes ?? failed)?.scheduledEventId));
    if (type === 'deliverLinkToken' && failed) hasToken = true;
    if (type === 'deliverLinkToken' && !failed) isDelivered = true;
    const failure = failed?.failure?.applicationFailureInfo?.type ?? '';
    if (type === 'createLinkToken' && failed && !NOTHING_CREATED.includes(failure)) unconfirmed += 1;
  }
  const [argument] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  const ended = events?.at(-1)?.workflowExecutionFailedEventAttributes?.failure?.applicationFailureInfo;
  const open = status.name === 'RUNNING';
  return {
    runId,
    request: JSON.parse(Buffer.from(argument?.data ?? []).toString()) as PrepareRequest,
    open,
    undelivered: open && hasToken,
    recoverable: !open && hasToken && !isDelivered,
    unconfirmed,
    failure: ended?.type ?? null,
  };
}

/** Runs `list` with `--json`. */
async function listed(...filters: string[]) {
  const exit = await fixture.client('--json', 'list', ...filters);
  expect(exit.code).toBe(0);
  expect(exit.stderr).toMatch(
    /^note: the list may lag by a moment; runs that closed before \d{4}-\S+ are deleted\n/,
  );
  return objectsIn(exit);
}

beforeAll(async () => {
  fixture = await createCommandFixture();
  const { atlas, deployment, temporal } = fixture;
  client = temporal;
  const start = (more?: Partial<PrepareRequest>) => deployment.start(deployment.newRequest(more));

  await endingOf(await start());
  await endingOf(await start({ sink: 'none' }));
  await endingOf(await start({ orgId: OTHER_ORG }));
  since = new Date().toISOString();
  await endingOf(await start({ requestedBy: 'ana' }));
  for (const faults of [[], [{ on, status: 403 }]]) {
    atlas.faults([{ on, status: 503 }, ...faults]);
    await endingOf(await start());
  }
  const undelivered: { handle: Handle; options: string[] }[] = [];
  for (const sourceOrgId of Array.from({ length: 4 }, newOrgId)) {
    const handle = await start({ sink: 'blocked', requestedBy: 'ana', sourceOrgId });
    await untilStep(handle, 'undelivered');
    undelivered.push({ handle, options: ['--org', atlas.account.orgId, '--source-org', sourceOrgId] });
  }
  const [cancelled, terminated, recovered] = undelivered;
  if (!cancelled || !terminated || !recovered) throw new Error('too few');
  await end(cancelled.handle, 'cancel');
  await end(terminated.handle, 'terminate');
  await end(recovered.handle, 'cancel');
  const recoveredId = await fixture.newestRunId(recovered.handle.workflowId);
  const recover = ['recover', ...recovered.options, '--run-id', recoveredId];
  expect(await fixture.client(...recover, '--sink', 'files')).toMatchObject({ code: 0 });

  atlas.faults({ on, status: 503, headers: { 'retry-after': '3000' } });
  const waiting: Handle[] = [];
  for (let runs = 0; runs < 3; runs += 1) {
    // The circuit breaker rejects the second and the third.
    const handle = await start();
    await eventually('a wait of minutes', () => isWaiting(handle));
    waiting.push(handle);
  }
  const [, toCancel, toTerminate] = waiting;
  if (toCancel) await end(toCancel, 'cancel');
  if (toTerminate) await end(toTerminate, 'terminate');

  const query = `TaskQueue = '${deployment.taskQueue}'`;
  await untilListed(query, 14);
  await untilListed(`${query} AND ExecutionStatus = 'Running'`, 2);
  const runs: Promise<Scanned>[] = [];
  for await (const { workflowId, runId } of client.workflow.list({ query }))
    runs.push(scan(workflowId, runId));
  scanned = await Promise.all(runs);
  // The recovery delivered the token of this one.
  for (const run of scanned) if (run.runId === recoveredId) run.recoverable = false;
});

async function isWaiting(handle: Handle): Promise<boolean> {
  const { raw } = await handle.describe();
  const soonMs = Date.now() + 60_000;
  if (Number(raw.pendingActivities?.[0]?.scheduledTime?.seconds) * 1000 > soonMs) return true;
  return Date.parse((await statusOf(handle)).nextTryAt ?? '') > soonMs;
}

describe('list finds exactly what a scan of all histories finds:', () => {
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
    [['--org', OTHER_ORG], ({ request }) => request.orgId === OTHER_ORG],
  ])('%j', async (filters, matches) => {
    const expected = scanned.filter(matches);
    expect(expected).not.toEqual([]);
    const counts = (runs: object[]) => runs.map((run) => Object.values(run).join(' ')).sort();
    const found = (await listed(...filters)).map(({ runId, unconfirmedTokens }) => ({
      runId,
      unconfirmedTokens,
    }));
    expect(counts(found)).toEqual(counts(expected.map(({ runId, unconfirmed }) => ({ runId, unconfirmed }))));
  });
});

describe('list', () => {
  it('with --since leaves out what closed before the time', async () => {
    expect(await listed('--since', since)).toHaveLength(scanned.length - 3);
    expect(await listed('--since', since, '--org', OTHER_ORG)).toEqual([]);
  });

  it('prints open runs first, then the others by their end, newest first', async () => {
    const ends = (await listed()).map(({ closedAt }) => (closedAt as string | null) ?? 'open');
    expect(ends).toEqual(ends.toSorted().reverse());
  });

  it('prints a table with what each run waits for, or the command that helps', async () => {
    const { stdout, stderr } = await fixture.client('list', '--undelivered');
    expect(stderr).toMatch(
      /\nnote: not counted: 1 open run, creating a token or in the first round of delivery\n/,
    );
    expect(stdout).toMatch(
      /^STARTED +STATE +RUN\n\S+Z +undelivered +live-migration-prep\/\S+ +waits on sink blocked\n1 run\n$/,
    );
    const cancelled = await fixture.client('list', '--failure', 'Cancelled', '--recoverable');
    expect(cancelled.stdout).toMatch(
      /failed +\S+ +recoverable token: live-migration-prep recover --org \S+ --source-org \S+ --run-id \S+; Cancelled: .*\n/,
    );
  });

  it('with --unconfirmed prints each attempt with the range of key ids and the command for events', async () => {
    const runs = (await listed('--unconfirmed')) as unknown as {
      unconfirmedTokens: number;
      unconfirmed: { attempts: Record<'startedAt' | 'endedAt' | 'keyIdFrom' | 'keyIdTo', string>[] };
    }[];
    for (const { unconfirmedTokens, unconfirmed } of runs)
      expect(unconfirmed.attempts).toHaveLength(unconfirmedTokens);
    const attempts = runs.flatMap(({ unconfirmed }) => unconfirmed.attempts);
    const lost = fixture.atlas.posts().filter(({ status }) => status === 503);
    expect(attempts).toHaveLength(lost.length);
    for (const { startedAt: at } of lost) {
      const keyId = Math.floor(Date.parse(at) / 1000).toString(16);
      const around = attempts.filter(
        ({ startedAt, endedAt, keyIdFrom, keyIdTo }) =>
          startedAt <= at && at <= endedAt && keyIdFrom < keyId && keyId < keyIdTo,
      );
      expect(around).not.toEqual([]);
    }
    const { stdout, stderr } = await fixture.client('list', '--unconfirmed');
    expect(stdout).toMatch(
      / {2}\S+Z to \S+Z: Atlas returned 503 .*\n {4}a key made then has an id from [\da-f]{8}… to [\da-f]{8}…; the events of that time: atlas api events listOrgEvents --orgId [\da-f]{24} --minDate 2\S+:\d\dZ --maxDate 2\S+:\d\dZ\n/,
    );
    expect(stdout).toMatch(/\n {2}token \S{36} arrived at 2\S+Z: its key is accounted for\n/);
    expect(stderr).toMatch(
      /\nnote: not shown: \d terminated runs?\. A request in progress at the termination is in no count\./,
    );
  });

  it('with --details prints the request of each, and its failure or its receipt, on one line', async () => {
    const requests = new Map(scanned.map(({ runId, request }) => [runId, request]));
    for (const { runId, state, request, failure, receipt } of await listed('--details')) {
      expect(request).toMatchObject({ requestedBy: null, ...requests.get(String(runId)) });
      if (state === 'failed') expect(failure).toMatchObject({ type: expect.any(String) });
      if (state === 'delivered') expect(receipt).toMatchObject({ orgId: requests.get(String(runId))?.orgId });
    }
    const { stdout } = await fixture.client('list', '--details');
    const found = stdout.split('\n').filter((line) => line.includes('"requestedBy":"ana"'));
    expect(found).toHaveLength(6);
    expect(found.filter((line) => line.includes('"tokenSha256":"'))).toHaveLength(2);
  });
});

/** A payload of a client with a codec of its own. */
const FOREIGN = RawValue.fromPayload({
  metadata: { encoding: Buffer.from('binary/encrypted') },
  data: Buffer.from('x'),
});

const STRANGERS: [args: unknown[], memo: Record<string, unknown>][] = [
  [[], { deliveryId: FOREIGN, note: FOREIGN }],
  [[FOREIGN], {}],
  [
    [{ orgId: { toString: 1 }, sourceOrgId: 5, sink: [], requestedBy: { valueOf: 1 }, accessListIps: 'x' }],
    { step: 'undelivered', sink: { toString: 1 }, unconfirmedTokens: 'x', deliveryId: {} },
  ],
];

it.each(['open', 'terminated'])('%s runs of strangers, of any form, end no command', async (state) => {
  const taskQueue = `nobody-${newOrgId()}`;
  const options = await Promise.all(
    STRANGERS.map(async ([args, memo]) => {
      const { workflowId, options: target } = fixture.newTarget();
      const handle = await client.workflow.start('prepareLiveMigration', {
        workflowId,
        taskQueue,
        args,
        memo,
      });
      if (state === 'terminated') await handle.terminate();
      return target;
    }),
  );
  const closed = state === 'terminated' ? 'IS NOT NULL' : 'IS NULL';
  await untilListed(`TaskQueue = '${taskQueue}' AND CloseTime ${closed}`, STRANGERS.length);
  const { failed, timedOut, refused, done } = EXIT_CODES;
  const filters = ['', '--undelivered', '--recoverable', '--unconfirmed', '--details', '--requests'];
  const commands: [command: string, code: ExitCode][] = [
    ...filters.map((filter): [string, ExitCode] => [`list ${filter} --task-queue ${taskQueue}`, done]),
    ...options.flatMap((target): [string, ExitCode][] => [
      [
        `watch ${target.join(' ')} --timeout ${state === 'open' ? '1s' : '1h'}`,
        state === 'open' ? timedOut : failed,
      ],
      [
        `start ${target.join(' ')} --ip 192.31.196.7 --sink files --dry-run`,
        state === 'open' ? refused : done,
      ],
    ]),
  ];
  await Promise.all(
    commands.map(async ([command, code]) => {
      const exit = await fixture.client(...command.split(' ').filter(Boolean));
      expect([command, exit]).toMatchObject([command, { code }]);
      expect(exit.stderr).not.toMatch(/Unknown encoding|Unexpected token|Cannot convert/);
    }),
  );
});
