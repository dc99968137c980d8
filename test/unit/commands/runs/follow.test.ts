import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { follow } from '../../../../src/commands/runs/follow';
import type { Receipt, Status } from '../../../../src/contract/schemas';

const ORG = '64f1c0ffee5eed0000000a71';
const workflowId = `live-migration-prep/${ORG}`;
const NEXT_TRY = '2026-11-25T09:14:50.000Z';

/** Constants of Temporal's API: a task waits for a worker or its time, or a worker has it. */
const [SCHEDULED, STARTED] = [1, 2];

const activity = (type: string, attempt: number, message?: string, state = STARTED) => ({
  pendingActivities: [
    { activityType: { name: type }, attempt, state, ...(message && { lastFailure: { message } }) },
  ],
});

const statusOf = (step: Status['step'], more: Partial<Status> = {}): Status => ({
  ...{ step, description: 'it waits', unconfirmedTokens: 0, deliveryId: null, nextTryAt: null },
  ...more,
});

const RECEIPT: Receipt = {
  ...{ orgId: ORG, sourceOrgId: null, accessListIps: [], credential: 'default', warnings: [] },
  ...{ requestedBy: null, changeReference: null, deliveryId: randomUUID(), tokenSha256: 'a'.repeat(64) },
  ...{ createdAt: NEXT_TRY, unconfirmedTokens: 0, sink: 'files', location: 'file x', deliveredAt: NEXT_TRY },
  alsoTried: [],
};

interface Run {
  /** Descriptions of the run while it is open, one after another. */
  open?: object[];
  /** The response to the Query; null when no worker responds. */
  status?: Status | null;
  memo?: object;
  type?: string;
  workers?: number;
  result?: unknown;
}

/** Follows a run. Returns what is printed, and its receipt or the error that ends the command. */
async function followed({ open = [], status = null, memo = {}, workers = 1, result = RECEIPT, ...run }: Run) {
  const { type = 'prepareLiveMigration' } = run;
  let looks = 0;
  const describe = (raw: object | undefined) =>
    Promise.resolve({
      ...{ workflowId, runId: 'run', type, memo, raw, historyLength: looks, taskQueue: 'prep' },
      status: { name: raw ? 'RUNNING' : 'COMPLETED' },
    });
  const newest = { describe: () => describe(open[0]) };
  const handle = {
    describe: () => describe(open[looks++]),
    query: () => (status ? Promise.resolve(status) : Promise.reject(new Error('no worker'))),
    result: () => Promise.resolve(result),
  };
  const pollers = Array(workers).fill({ lastAccessTime: { seconds: Date.now() / 1000 } });
  const client = {
    workflow: { getHandle: (_id: string, runId?: string) => (runId ? handle : newest) },
    connection: { withDeadline: (_at: number, query: () => unknown) => query() },
    workflowService: { describeTaskQueue: () => Promise.resolve({ pollers }) },
    options: { namespace: 'default' },
  };
  const printed: string[] = [];
  const outcome: unknown = await follow(client as unknown as Client, { workflowId }, (line) =>
    printed.push(line),
  ).catch((error: unknown) => error);
  return { printed, outcome };
}

const WAITS = { pendingWorkflowTask: { state: SCHEDULED } };

describe('follow prints', () => {
  it.concurrent.each<[what: string, run: Run, printed: unknown[]]>([
    [
      'an attempt, its last failure, and each change once',
      {
        open: [
          activity('validateRequest', 1),
          activity('createLinkToken', 3, 'Atlas returned 429', SCHEDULED),
          activity('createLinkToken', 3, 'Atlas returned 429', SCHEDULED),
          activity('deliverLinkToken', 2, 'the sink is away'),
        ],
      },
      [
        'working, attempt 1',
        'creating, attempt 3; last failure: Atlas returned 429',
        'delivering, attempt 2; last failure: the sink is away',
      ],
    ],
    ['a wait for a worker that is there', { open: [WAITS] }, ['waiting for a worker']],
    [
      'a wait for a worker that is not',
      { open: [WAITS], workers: 0 },
      [expect.stringMatching(/^waiting for a worker; no worker polls task queue prep: start one, /)],
    ],
    [
      'what the workflow waits for, and until when',
      { open: [{}], status: statusOf('creating', { nextTryAt: NEXT_TRY }) },
      [`creating: it waits; next try at ${NEXT_TRY}`],
    ],
    ['what the workflow waits for', { open: [{}], status: statusOf('creating') }, ['creating: it waits']],
    [
      'a later round of an undelivered run',
      { open: [activity('deliverLinkToken', 1)], memo: { step: 'undelivered' } },
      ['delivering, attempt 1'],
    ],
  ])('%s, then returns the receipt', async (_what, run, printed) => {
    expect(await followed(run)).toEqual({ printed, outcome: RECEIPT });
  });
});

const REDELIVER = `once the cause is fixed: live-migration-prep redeliver --org ${ORG}   (--sink <name> for another sink)`;
const waiting = { description: 'SinkRejected: no', nextTryAt: NEXT_TRY, unconfirmedTokens: 2 };

describe('follow ends', () => {
  it.concurrent.each<[what: string, run: Run, exitCode: number, lines: unknown[]]>([
    [
      'with 5 while the run waits undelivered',
      { open: [{}], status: statusOf('undelivered', waiting) },
      5,
      [
        'SinkRejected: no',
        `the token is kept, encrypted, and the run goes on; next try at ${NEXT_TRY}`,
        REDELIVER,
        expect.stringMatching(/^Atlas may have created 2 tokens that the run never received; when, /),
      ],
    ],
    [
      'with 5 when only the memo says undelivered, since no worker responds',
      { open: [{}], memo: { step: 'undelivered' } },
      5,
      [
        'undelivered: no worker responds, so the reason is in the history only',
        'the token is kept, encrypted, and the run goes on',
        REDELIVER,
      ],
    ],
    [
      'with 6 for a run of another workflow type',
      { open: [{}], type: 'foreign' },
      6,
      [expect.stringMatching(/ is the id of a run of workflow type foreign, not prepareLiveMigration: /)],
    ],
    [
      'with 1 after a result of a stranger',
      { result: { orgId: ORG } },
      1,
      [`${workflowId} completed with a result that is not a receipt`],
    ],
  ])('%s', async (_what, run, exitCode, lines) => {
    expect((await followed(run)).outcome).toMatchObject({ exitCode, lines });
  });
});
