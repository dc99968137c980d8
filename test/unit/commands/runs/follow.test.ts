import { follow } from '../../../../src/commands/runs/follow';
import type { Status } from '../../../../src/contract/schemas';
import { contextWith } from './context';

const ORG = '64f1c0ffee5eed0000000a71';
const workflowId = `live-migration-prep/${ORG}`;
const NEXT_TRY = '2026-11-25T09:14:50.000Z';
const STATUS: Status = {
  step: 'creating',
  description: 'it waits',
  unconfirmedTokens: 0,
  deliveryId: null,
  nextTryAt: null,
};

/** Constants of Temporal's API: a task waits for a worker or its time, or a worker has it. */
const [SCHEDULED, STARTED] = [1, 2];

const activity = (type: string, attempt: number, message?: string, state = STARTED) => ({
  pendingActivities: [
    { activityType: { name: type }, attempt, state, ...(message && { lastFailure: { message } }) },
  ],
});

interface Run {
  /** Descriptions of the run while it is open, one after another. */
  open?: object[];
  /** The response to the Query; null when no worker responds. */
  status?: Status | null;
  memo?: object;
  workers?: number;
}

/** Follows a run that ends with the result of a stranger. Returns what is reported, and the error at the end. */
async function followed({ open = [], status = null, memo = {}, workers = 1 }: Run) {
  let looks = 0;
  const handle = {
    describe() {
      const raw = open[looks++];
      const status = { name: raw ? 'RUNNING' : 'COMPLETED' };
      const run = { workflowId, runId: 'run', type: 'prepareLiveMigration', taskQueue: 'prep', memo };
      return Promise.resolve({ ...run, raw, status, historyLength: looks });
    },
    query: () => (status ? Promise.resolve(status) : Promise.reject(new Error('no worker'))),
    result: () => Promise.resolve({ orgId: ORG }),
  };
  const pollers = Array(workers).fill({ lastAccessTime: { seconds: Date.now() / 1000 } });
  const { client } = contextWith({
    workflow: { getHandle: () => handle },
    connection: { withDeadline: (_at: number, query: () => unknown) => query() },
    workflowService: { describeTaskQueue: () => Promise.resolve({ pollers }) },
    options: { namespace: 'default' },
  });
  const reported: string[] = [];
  const report = (line: string) => void reported.push(line);
  const error: unknown = await follow(client, { workflowId, runId: 'run' }, report).catch(
    (thrown: unknown) => thrown,
  );
  return { reported, error };
}

const WAITS = { pendingWorkflowTask: { state: SCHEDULED } };
const ATTEMPT_3 = activity('createLinkToken', 3, 'Atlas returned 429', SCHEDULED);
const DELIVERS = activity('deliverLinkToken', 2, 'away');

it('follow reports each change once: what the server knows of a task, or else the status', async () => {
  const open = [WAITS, activity('validateRequest', 1), ATTEMPT_3, ATTEMPT_3, {}, DELIVERS];
  const { reported } = await followed({ open, status: { ...STATUS, nextTryAt: NEXT_TRY } });
  expect(reported).toEqual([
    'waiting for a worker',
    'working, attempt 1',
    'creating, attempt 3; last failure: Atlas returned 429',
    `creating: it waits; next try at ${NEXT_TRY}`,
    'delivering, attempt 2; last failure: away',
  ]);
});

it('follow reports that no worker is there, and a later round of an undelivered run', async () => {
  const memo = { step: 'undelivered' };
  const { reported } = await followed({ open: [WAITS, activity('deliverLinkToken', 1)], memo, workers: 0 });
  const noWorker = /^waiting for a worker; no worker polls task queue prep: start one, /;
  expect(reported).toEqual([expect.stringMatching(noWorker), 'delivering, attempt 1']);
});

const undelivered = { step: 'undelivered', description: 'SinkRejected: no', unconfirmedTokens: 2 } as const;
const KEPT = 'the token is kept, encrypted, and the run goes on';
const REDELIVER = `once the cause is fixed: live-migration-prep redeliver --org ${ORG}   (--sink <name> for another sink)`;

it.concurrent.each<[what: string, run: Run, exitCode: number, ...lines: unknown[]]>([
  [
    'with 5 while the run waits undelivered',
    { open: [{}], status: { ...STATUS, ...undelivered, nextTryAt: NEXT_TRY } },
    5,
    'SinkRejected: no',
    `${KEPT}; next try at ${NEXT_TRY}`,
    REDELIVER,
    expect.stringMatching(/^Atlas may have created 2 tokens that the run never received; when, /),
  ],
  [
    'with 5 when only the memo says undelivered, since no worker responds',
    { open: [{}], memo: { step: 'undelivered' } },
    5,
    'undelivered: no worker responds, so the reason is in the history only',
    KEPT,
    REDELIVER,
  ],
  [
    'with 1 after a result of a stranger',
    {},
    1,
    `${workflowId} completed with a result that is not a receipt`,
  ],
])('follow ends %s', async (_what, run, exitCode, ...lines) => {
  expect((await followed(run)).error).toMatchObject({ exitCode, lines });
});
