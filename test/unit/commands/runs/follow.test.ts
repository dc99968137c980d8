import { describeOpen } from '../../../../src/commands/runs/follow';
import { followRuns } from '../../../../src/commands/runs/follow-runs';
import {
  ACTIVITY_PAUSED,
  CANCEL_REQUESTED,
  IN_QUEUE,
  PAUSED,
  TASK_FAILS,
} from '../../../../src/commands/runs/why-stuck';
import { ORG } from '../../samples';
import { timestamp } from '../../temporal/scripted-server';
import { contextWith } from './context';

const workflowId = `live-migration-prep/${ORG}`;
const NEXT_ATTEMPT = '2026-11-25T09:14:50.000Z';
/** The memo of a run that waits after an attempt that may have created a token. */
const WAITS_TO_CREATE = {
  failure: { type: 'TokenUnconfirmed', message: 'it waits' },
  nextAttemptAt: NEXT_ATTEMPT,
  unconfirmedTokens: 2,
};

/** Constants of Temporal's API: a task waits for a worker or its time, or a worker has it. */
const [SCHEDULED, STARTED] = [1, 2];

function activity(type: string, attempt: number, message?: string, state = STARTED) {
  const lastFailure = message === undefined ? null : { message };
  return { pendingActivities: [{ activityType: { name: type }, attempt, state, lastFailure }] };
}

interface FollowedRun {
  memo?: object;
  openState?: string;
  /** The newest event of the history. */
  lastEvent?: object;
}

/**
 * Follows a run that ends with a result that is not a receipt. Returns what is reported, and the
 * error at the end.
 *
 * @param open descriptions of the run while it is open, one after another.
 */
async function followed(
  open: object[],
  { memo = {}, openState = 'RUNNING', lastEvent = {} }: FollowedRun = {},
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
    result: () => Promise.resolve({ orgId: ORG }),
  };
  const { client } = contextWith({
    workflow: { getHandle: () => handle },
    workflowService: {
      getWorkflowExecutionHistoryReverse: () =>
        Promise.resolve({ history: { events: [lastEvent] } }),
    },
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

const WAITS = { pendingWorkflowTask: { state: SCHEDULED } };
const RETRIED = { pendingWorkflowTask: { state: STARTED, attempt: 2 } };
const ATTEMPT_3 = activity('createLinkToken', 3, 'Atlas returned 429', SCHEDULED);
const DELIVERS = activity('deliverLinkToken', 2, 'away');
const UNDELIVERED = { ...WAITS_TO_CREATE, step: 'undelivered' };
const KEPT = 'the token is kept, encrypted, and the run goes on';
const REDELIVER =
  `once the cause is fixed: live-migration-prep redeliver ${ORG}` +
  '   (--sink <name> for another sink)';

const WAITING = `waiting (${IN_QUEUE})`;

describe('a run that is followed', () => {
  it.concurrent('reports each change once, from the server or else from its memo', async () => {
    const open = [WAITS, activity('validateRequest', 1), ATTEMPT_3, ATTEMPT_3, {}, DELIVERS];
    expect((await followed(open, { memo: WAITS_TO_CREATE })).reports).toEqual([
      WAITING,
      'validating',
      'creating (attempt 3: Atlas returned 429)',
      `creating (it waits; next attempt at ${NEXT_ATTEMPT})`,
      'delivering (attempt 2: away)',
    ]);
  });

  it.concurrent('reports a later round of an undelivered run', async () => {
    const open = [WAITS, activity('deliverLinkToken', 1)];
    expect((await followed(open, { memo: UNDELIVERED })).reports).toEqual([WAITING, 'delivering']);
  });

  it.concurrent('reports a cancellation that no worker has carried out', async () => {
    const cancelled = { ...WAITS, workflowExtendedInfo: { cancelRequested: true } };
    expect((await followed([cancelled])).reports).toEqual([
      `waiting (${IN_QUEUE}; ${CANCEL_REQUESTED})`,
    ]);
  });

  const FAILED = { lastEvent: { workflowTaskFailedEventAttributes: {} } };
  const TIMED_OUT = { lastEvent: { workflowTaskTimedOutEventAttributes: {} } };

  it.concurrent('reports that its workflow task failed, also beside an activity', async () => {
    expect((await followed([RETRIED], FAILED)).reports).toEqual([`waiting (${TASK_FAILS})`]);
    expect((await followed([{ ...ATTEMPT_3, ...RETRIED }], FAILED)).reports).toEqual([
      `creating (attempt 3: Atlas returned 429; ${TASK_FAILS})`,
    ]);
  });

  it.concurrent('reports a task that busy workers were late for as one in the queue', async () => {
    const late = { pendingWorkflowTask: { state: SCHEDULED, attempt: 2 } };
    expect((await followed([late], TIMED_OUT)).reports).toEqual([WAITING]);
    expect((await followed([RETRIED], TIMED_OUT)).reports).toEqual([]);
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
    expect((await followed([{ pendingActivities: waiting }], run)).reports).toEqual([
      `creating (attempt 3: Atlas returned 429${end})`,
    ]);
  });

  it.concurrent('reports that an operator paused the activity', async () => {
    const { pendingActivities } = activity('createLinkToken', 2, 'away');
    const paused = pendingActivities.map((one) => ({ ...one, paused: true }));
    expect((await followed([{ pendingActivities: paused }])).reports).toEqual([
      `creating (attempt 2: away; ${ACTIVITY_PAUSED})`,
    ]);
  });

  it.concurrent('reports that an operator paused the run, also beside an activity', async () => {
    const paused = { openState: 'PAUSED' };
    expect((await followed([WAITS], paused)).reports).toEqual([`waiting (${PAUSED})`]);
    expect((await followed([DELIVERS], paused)).reports).toEqual([
      `delivering (attempt 2: away; ${PAUSED})`,
    ]);
  });

  it.concurrent('ends with exit code 5 while the run waits undelivered', async () => {
    const lines = [
      'TokenUnconfirmed: it waits',
      `${KEPT}; next attempt at ${NEXT_ATTEMPT}`,
      REDELIVER,
      expect.stringMatching(/^Atlas may have created up to 2 unconfirmed tokens, /),
      expect.stringMatching(/^ {2}atlas organizations apiKeys list /),
    ];
    expect((await followed([{}], { memo: UNDELIVERED })).error).toMatchObject({
      exitCode: 5,
      lines,
    });
  });

  it.concurrent('ends with exit code 1 after a result that is not a receipt', async () => {
    const lines = [
      `${workflowId} completed with a result that is not a receipt:` +
        ' its history has that result and the token',
    ];
    expect((await followed([])).error).toMatchObject({ exitCode: 1, lines });
  });
});
