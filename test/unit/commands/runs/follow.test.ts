import { randomUUID } from 'node:crypto';
import { WorkflowFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TerminatedFailure } from '@temporalio/common';
import { follow } from '../../../../src/commands/runs/follow';
import { FAILURE_TYPES } from '../../../../src/contract/names';
import type { Receipt, Status } from '../../../../src/contract/schemas';

const ORG = '64f1c0ffee5eed0000000a71';
const workflowId = `live-migration-prep/${ORG}`;
const RUN = { workflowId, runId: 'run' };
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
  /** Its result, or its failure. */
  ending?: unknown;
}

/** Follows a run. Returns what is printed, and its receipt or the error that ends the command. */
async function followed({ open = [], status = null, memo = {}, workers = 1, ending = RECEIPT, ...run }: Run) {
  let looks = 0;
  const describe = (raw: object | undefined) => {
    const name = raw ? 'RUNNING' : 'COMPLETED';
    const description = { ...RUN, memo, raw, historyLength: looks, taskQueue: 'prep', status: { name } };
    return Promise.resolve({ ...description, type: run.type ?? 'prepareLiveMigration' });
  };
  const newest = { describe: () => describe(open[0]) };
  const handle = {
    describe() {
      looks += 1;
      return describe(open[looks - 1]);
    },
    query: () => (status ? Promise.resolve(status) : Promise.reject(new Error('no worker'))),
    result: () => (ending instanceof Error ? Promise.reject(failed(ending)) : Promise.resolve(ending)),
  };
  const pollers = Array.from({ length: workers }, () => ({ lastAccessTime: { seconds: Date.now() / 1000 } }));
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

const failed = (cause: Error) => new WorkflowFailedError('failed', cause, 'NON_RETRYABLE_FAILURE');

describe('follow prints', () => {
  it.concurrent.each<[what: string, run: Run, printed: string[]]>([
    ['an attempt', { open: [activity('createLinkToken', 1)] }, ['creating, attempt 1']],
    [
      'the last failure, and each change once',
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
    [
      'a wait for a worker that is there',
      { open: [{ pendingWorkflowTask: { state: SCHEDULED } }] },
      ['waiting for a worker'],
    ],
    [
      'a wait for a worker that is not',
      { open: [{ pendingWorkflowTask: { state: SCHEDULED } }], workers: 0 },
      [
        'waiting for a worker; no worker polls task queue prep: start one, or correct the name;' +
          ' a run stays on the task queue on which it was started',
      ],
    ],
    [
      'what the workflow waits for, and until when',
      { open: [{}], status: statusOf('creating', { nextTryAt: NEXT_TRY }) },
      [`creating: it waits; next try at ${NEXT_TRY}`],
    ],
    ['what the workflow waits for', { open: [{}], status: statusOf('creating') }, ['creating: it waits']],
    [
      'a later round of an undelivered run',
      {
        open: [activity('deliverLinkToken', 1)],
        status: statusOf('undelivered'),
        memo: { step: 'undelivered' },
      },
      ['delivering, attempt 1'],
    ],
  ])('%s, then returns the receipt', async (_what, run, printed) => {
    expect(await followed(run)).toEqual({ printed, outcome: RECEIPT });
  });
});

const REDELIVER = `once the cause is fixed: live-migration-prep redeliver --org ${ORG}   (--sink <name> for another sink)`;

describe('follow ends', () => {
  it.concurrent.each<[what: string, run: Run, exitCode: number, lines: (string | RegExp)[]]>([
    [
      'with 5 while the run waits undelivered',
      {
        open: [{}],
        status: statusOf('undelivered', {
          ...{ description: 'SinkRejected: no', nextTryAt: NEXT_TRY, unconfirmedTokens: 2 },
        }),
      },
      5,
      [
        'SinkRejected: no',
        `the token is kept, encrypted, and the run goes on; next try at ${NEXT_TRY}`,
        REDELIVER,
        /^Atlas may have created 2 tokens that the run never received; when, .*: live-migration-prep list --unconfirmed --org/,
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
      [/ is the id of a run of workflow type foreign, not prepareLiveMigration: look at it with temporal /],
    ],
    [
      'with 7 after a cancellation that left nothing',
      { ending: new CancelledFailure('cancelled') },
      7,
      ['the run was cancelled; no token was created'],
    ],
    [
      'with 1 after a termination, which may have left a token',
      { ending: new TerminatedFailure('by mistake') },
      1,
      [
        'the run was terminated: by mistake',
        `if it held a token: live-migration-prep recover --org ${ORG} --run-id run`,
        /^if a request was in progress, Atlas may have created a token that no run counts: look in Atlas /,
      ],
    ],
    ['with 1 after an unknown failure', { ending: new Error('timeout') }, 1, ['the run failed: timeout']],
    [
      'with 1 after a result of a stranger',
      { ending: { orgId: ORG } },
      1,
      [`${workflowId} completed with a result that is not a receipt`],
    ],
  ])('%s', async (_what, run, exitCode, lines) => {
    const { outcome } = await followed(run);
    const matching = lines.map((line) => (line instanceof RegExp ? expect.stringMatching(line) : line));
    expect(outcome).toMatchObject({ exitCode, lines: matching });
  });

  it.concurrent.each(FAILURE_TYPES)(
    'after %s with its exit code, details and unconfirmed tokens',
    async (type) => {
      const details = { unconfirmedTokens: 1, status: 403, state: 'recoverable' };
      const ending = ApplicationFailure.nonRetryable('Atlas returned 403', type, details);
      const { outcome } = await followed({ ending });
      expect(outcome).toMatchObject({
        exitCode: { Cancelled: 7, TokenExists: 6 }[type as string] ?? 1,
        lines: [
          `${type}: Atlas returned 403`,
          // The message of a cancelled run has the count.
          ...(type === 'Cancelled' ? [] : [expect.stringMatching(/^Atlas may have created 1 token that /)]),
        ],
        facts: { workflowId, type, refused: 'recoverable', details },
      });
    },
  );
});
