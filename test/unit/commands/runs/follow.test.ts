import { QueryRejectedError, type Client } from '@temporalio/client';
import { createStatusReader } from '../../../../src/commands/list/read-statuses';
import { describeOpen } from '../../../../src/commands/runs/follow';
import { followRuns } from '../../../../src/commands/runs/follow-runs';
import { readStatus } from '../../../../src/commands/runs/read-status';
import {
  ACTIVITY_PAUSED,
  CANCEL_REQUESTED,
  PAUSED,
  TASK_FAILS,
} from '../../../../src/commands/runs/why-stuck';
import type { Status } from '../../../../src/contract/schemas';
import { GRPC } from '../../../../src/temporal/grpc';
import { ORG } from '../../samples';
import { grpcError, timestamp } from '../../temporal/scripted-server';
import { contextWith } from './context';

const workflowId = `live-migration-prep/${ORG}`;
const NEXT_ATTEMPT = '2026-11-25T09:14:50.000Z';
const STATUS: Status = {
  step: 'creating',
  description: 'it waits',
  unconfirmedTokens: 2,
  deliveryId: null,
  nextAttemptAt: NEXT_ATTEMPT,
};

/** Constants of Temporal's API: a task waits for a worker or its time, or a worker has it. */
const [SCHEDULED, STARTED] = [1, 2];

function activity(type: string, attempt: number, message?: string, state = STARTED) {
  const lastFailure = message === undefined ? null : { message };
  return { pendingActivities: [{ activityType: { name: type }, attempt, state, lastFailure }] };
}

/**
 * Follows a run that ends with a result that is not a receipt. Returns what is reported, and the
 * error at the end.
 *
 * @param open descriptions of the run while it is open, one after another.
 * @param status the response to the Query; null when no worker responds.
 */
async function followed(
  open: object[],
  status: Status | null,
  { memo = {}, openState = 'RUNNING' }: { memo?: object; openState?: string } = {},
) {
  let looks = 0;
  const handle = {
    describe() {
      const raw = open[looks++];
      const name = raw ? openState : 'COMPLETED';
      const run = {
        workflowId,
        runId: 'run',
        type: 'prepareLiveMigration',
        taskQueue: 'prep',
        memo,
      };
      return Promise.resolve({ ...run, raw: raw ?? {}, status: { name } });
    },
    query: () => (status ? Promise.resolve(status) : Promise.reject(new Error('no worker'))),
    result: () => Promise.resolve({ orgId: ORG }),
  };
  const { client } = contextWith({
    workflow: { getHandle: () => handle },
    connection: { withDeadline: (_at: number, query: () => unknown) => query() },
    withDeadline: (_at: number, call: () => unknown) => call(),
    options: { namespace: 'default' },
  });
  const reports: string[] = [];
  let error: unknown;
  await followRuns(client, [{ workflowId, runId: 'run' }], {
    onLook(_run, { progress }) {
      const line = progress && describeOpen([progress]);
      if (line !== null && line !== reports.at(-1)) reports.push(line);
    },
    onEnd(_run, ending) {
      if ('error' in ending) error = ending.error;
    },
  });
  return { reports, error };
}

const waits = (scheduledMs: number) => ({
  pendingWorkflowTask: { state: SCHEDULED, scheduledTime: timestamp(scheduledMs) },
});
const [WAITS, WAITS_AGAIN] = [waits(1000), waits(2000)];
const RETRIED = { pendingWorkflowTask: { state: STARTED, attempt: 2 } };
const ATTEMPT_3 = activity('createLinkToken', 3, 'Atlas returned 429', SCHEDULED);
const DELIVERS = activity('deliverLinkToken', 2, 'away');
const UNDELIVERED = { step: 'undelivered' } as const;
const KEPT = 'the token is kept, encrypted, and the run goes on';
const REDELIVER =
  `once the cause is fixed: live-migration-prep redeliver --org ${ORG}` +
  '   (--sink <name> for another sink)';

const WAITING = 'waiting (no worker has taken its task)';

describe('a run that is followed', () => {
  it.concurrent('reports each change once, from the server or else from the run', async () => {
    const open = [WAITS, WAITS, activity('validateRequest', 1), ATTEMPT_3, ATTEMPT_3, {}, DELIVERS];
    expect((await followed(open, STATUS)).reports).toEqual([
      WAITING,
      'working',
      'creating (attempt 3: Atlas returned 429)',
      `creating (it waits; next attempt at ${NEXT_ATTEMPT})`,
      'delivering (attempt 2: away)',
    ]);
  });

  it.concurrent('reports a later round of an undelivered run', async () => {
    const open = [WAITS, WAITS, activity('deliverLinkToken', 1)];
    expect((await followed(open, null, { memo: UNDELIVERED })).reports).toEqual([
      WAITING,
      'delivering',
    ]);
  });

  it.concurrent('reports a cancellation that no worker has carried out', async () => {
    const cancelled = { ...WAITS, workflowExtendedInfo: { cancelRequested: true } };
    expect((await followed([cancelled, cancelled], null)).reports).toEqual([
      `waiting (no worker has taken its task; ${CANCEL_REQUESTED})`,
    ]);
  });

  it.concurrent('reports no wait for a worker while each look sees another task', async () => {
    const open = [WAITS, activity('validateRequest', 1), WAITS_AGAIN, WAITS, {}];
    expect((await followed(open, STATUS)).reports).toEqual([
      'working',
      `creating (it waits; next attempt at ${NEXT_ATTEMPT})`,
    ]);
  });

  it.concurrent('reports that a workflow task is retried, also beside an activity', async () => {
    const waiting = await followed([RETRIED, RETRIED], null);
    expect(waiting.reports).toEqual([expect.stringContaining(TASK_FAILS)]);
    const open = { ...ATTEMPT_3, ...RETRIED };
    expect((await followed([open, open], null)).reports).toEqual([
      'creating (attempt 3: Atlas returned 429)',
      expect.stringContaining(TASK_FAILS),
    ]);
  });

  const AHEAD = '2090-11-25T09:14:50.000Z';
  const PAST = '2020-11-25T09:14:50.000Z';

  it.concurrent.each<[what: string, at: string, state: number, run: object, end: string]>([
    ['reports a retry that lies ahead', AHEAD, SCHEDULED, {}, `; next attempt at ${AHEAD}`],
    ['reports no retry that is due', PAST, SCHEDULED, {}, ''],
    ['reports no retry during an attempt', AHEAD, STARTED, {}, ''],
    [
      'reports no retry while the run is paused',
      AHEAD,
      SCHEDULED,
      { openState: 'PAUSED' },
      `; ${PAUSED}`,
    ],
  ])('%s', async (_what, at, state, run, end) => {
    const { pendingActivities } = activity('createLinkToken', 3, 'Atlas returned 429', state);
    const nextAttemptScheduleTime = timestamp(Date.parse(at));
    const waiting = pendingActivities.map((one) => ({ ...one, nextAttemptScheduleTime }));
    expect((await followed([{ pendingActivities: waiting }], null, run)).reports).toEqual([
      `creating (attempt 3: Atlas returned 429${end})`,
    ]);
  });

  it.concurrent('reports that an operator paused the activity', async () => {
    const { pendingActivities } = activity('createLinkToken', 2, 'away');
    const paused = pendingActivities.map((one) => ({ ...one, paused: true }));
    expect((await followed([{ pendingActivities: paused }], null)).reports).toEqual([
      `creating (attempt 2: away; ${ACTIVITY_PAUSED})`,
    ]);
  });

  it.concurrent('reports that an operator paused the run, also beside an activity', async () => {
    const paused = { openState: 'PAUSED' };
    expect((await followed([WAITS], null, paused)).reports).toEqual([`waiting (${PAUSED})`]);
    expect((await followed([DELIVERS], null, paused)).reports).toEqual([
      `delivering (attempt 2: away; ${PAUSED})`,
    ]);
  });

  it.concurrent('ends with exit code 5 while the run waits undelivered', async () => {
    const status = { ...STATUS, ...UNDELIVERED };
    const lines = [
      'it waits',
      `${KEPT}; next attempt at ${NEXT_ATTEMPT}`,
      REDELIVER,
      expect.stringMatching(/^Atlas may have created up to 2 unconfirmed tokens, /),
      expect.stringMatching(/^ {2}atlas organizations apiKeys list /),
    ];
    expect((await followed([{}], status)).error).toMatchObject({ exitCode: 5, lines });
  });

  it.concurrent('ends with exit code 5 by the memo alone when no worker responds', async () => {
    const noWorker =
      'undelivered: no worker responds, so only the history has the reason: start a worker';
    const lines = [noWorker, KEPT, REDELIVER];
    expect((await followed([{}], null, { memo: UNDELIVERED })).error).toMatchObject({
      exitCode: 5,
      lines,
    });
  });

  it.concurrent('ends with exit code 1 after a result that is not a receipt', async () => {
    const lines = [
      `${workflowId} completed with a result that is not a receipt:` +
        ' its history has that result and the token',
    ];
    expect((await followed([], null)).error).toMatchObject({ exitCode: 1, lines });
  });
});

it.each([
  [
    GRPC.failedPrecondition,
    'no poller seen for task queue recently, worker may be down',
    'no worker responds',
  ],
  [GRPC.failedPrecondition, 'Unable to query workflow: Workflow Task in failed state.', TASK_FAILS],
  [GRPC.permissionDenied, 'not you', 'Temporal denied the Query: not you'],
  [GRPC.deadlineExceeded, 'context deadline exceeded', 'no worker responds'],
])('a Query that fails with %d "%s" has the right reason', async (code, details, problem) => {
  const refusal = Object.assign(grpcError(code, details), { details });
  const client = {
    connection: { withDeadline: (_: number, call: () => unknown) => call() },
    workflow: { getHandle: () => ({ query: () => Promise.reject(refusal) }) },
  } as unknown as Client;
  expect(await readStatus(client, { workflowId: 'w', runId: '1' })).toEqual({
    status: null,
    problem,
  });
});

it('a Query that the server rejects says that the run is paused', async () => {
  const client = {
    connection: { withDeadline: (_: number, call: () => unknown) => call() },
    workflow: {
      getHandle: () => ({
        query: () => Promise.reject(Object.create(QueryRejectedError.prototype) as Error),
      }),
    },
  } as unknown as Client;
  expect(await readStatus(client, { workflowId: 'w', runId: '1' })).toEqual({
    status: null,
    problem: PAUSED,
  });
});

it.each<[which: string, asked: number, answers: number]>([
  ['none of five runs responds', 2, 0],
  ['the first of five runs responds', 5, 1],
])(
  'if %s, a reader that gives up after two unanswered Queries sends %d',
  async (_which, queryCount, answers) => {
    let queries = 0;
    const handle = {
      query: () =>
        queries++ < answers ? Promise.resolve(STATUS) : Promise.reject(new Error('no worker')),
    };
    const client = {
      connection: { withDeadline: (_: number, call: () => unknown) => call() },
      workflow: { getHandle: () => handle },
    } as unknown as Client;
    const read = createStatusReader(client, 2);
    const readings: unknown[] = [];
    for (const runId of '12345') readings.push(await read({ workflowId: 'w', runId }));
    expect(queries).toBe(queryCount);
    const [answer, none] = [
      { status: STATUS, problem: null },
      { status: null, problem: 'no worker responds' },
    ];
    expect(readings).toEqual(
      Array.from({ length: 5 }, (_, index) => (index < answers ? answer : none)),
    );
  },
);
