import { createBulk } from '../../../../src/commands/runs/bulk';
import { follow as followRuns } from '../../../../src/commands/runs/follow';
import type { RunMemo } from '../../../../src/contract/schemas';
import { eventually } from '../../../support/eventually';
import { aReceipt } from '../../samples';
import { grpcError } from '../../temporal/scripted-server';
import { contextWith, polledAgo } from './context';

const UNAVAILABLE = 14;

interface Run {
  runId: string;
  name: string;
  memo: Partial<RunMemo>;
  raw: object;
}

const creating = (attempt: number, message: string) => ({
  pendingActivities: [
    { activityType: { name: 'createLinkToken' }, attempt, state: 1, lastFailure: { message } },
  ],
});

/** Runs of which each creates its token. */
const runsOf = (count: number, raw: object): Run[] =>
  Array.from({ length: count }, (_, index) => ({
    runId: `run-${index}`,
    name: 'RUNNING',
    memo: {},
    raw,
  }));

/** Follows runs on a server that counts the calls. */
function follow(runs: readonly Run[]) {
  const calls = { list: 0, describe: 0 };
  const infoOf = (run: Run) => ({
    ...run,
    workflowId: `pair-${run.runId}`,
    type: 'prepareLiveMigration',
    taskQueue: 'prep',
    status: { name: run.name },
    closeTime: run.name === 'RUNNING' ? undefined : new Date(),
  });
  const context = contextWith(
    {
      options: { namespace: 'default' },
      workflowService: { describeTaskQueue: () => Promise.resolve({ pollers: polledAgo(0) }) },
      workflow: {
        async *list({ query }: { query: string }) {
          expect(query).toMatch(/ AND CloseTime >= '20\S+Z'$/);
          calls.list += 1;
          yield* await Promise.resolve(runs.map(infoOf).filter(({ name }) => name !== 'RUNNING'));
        },
        getHandle: (_workflowId: string, runId: string) => ({
          describe() {
            calls.describe += 1;
            return Promise.resolve(infoOf(runs.find((run) => run.runId === runId) as Run));
          },
          query: () => Promise.reject(new Error('no worker')),
          result: () => Promise.resolve(aReceipt({ location: `file ${runId}` })),
        }),
      },
    },
    { json: true },
  );
  const bulk = createBulk(context.output, runs.length, 'request');
  const items = runs.map(({ runId }, index) => ({
    workflowId: `pair-${runId}`,
    line: index + 1,
    runId,
  }));
  const done = followRuns(context, bulk, items);
  const outcomes = () => context.printed.map((text) => JSON.parse(text) as { runId: string });
  return { calls, done, outcomes, errors: context.errors };
}

describe('follow', () => {
  it.concurrent('reports 200 runs with few calls, and why most of them wait', async () => {
    const cause = 'not sent, since no request reaches Atlas any more: no connection to Atlas';
    const runs = runsOf(200, {});
    // Most have a common cause, which ends differently for each.
    for (const [index, run] of runs.entries()) run.raw = creating(21, `${cause}, until ${index}`);
    for (const run of runs.slice(0, 9)) run.raw = creating(2, 'Atlas returned 500');
    const { calls, done, outcomes, errors } = follow(runs);
    await eventually('the progress', () => errors.length > 0);
    expect(errors[0]).toMatch(
      /^(\d+ started, )?\d+ creating \(\d+ of them, attempt 21: not sent, since .* to Atlas, until \d+\)\n$/,
    );
    for (const run of runs) run.name = 'COMPLETED';
    await done;
    expect(outcomes()).toHaveLength(200);
    expect(calls.describe).toBeLessThanOrEqual(200 + 40 * calls.list);
  });

  it.concurrent('prints each ending as it comes, and the runs that are undelivered', async () => {
    const runs = runsOf(3, creating(1, 'away'));
    const { done, outcomes } = follow(runs);
    Object.assign(runs[1] as Run, { name: 'COMPLETED' });
    await eventually('an ending', () => outcomes().length > 0);
    expect(outcomes()).toMatchObject([{ line: 2, action: 'delivered', runId: 'run-1' }]);
    Object.assign(runs[0] as Run, { memo: { step: 'undelivered' }, raw: {} });
    Object.assign(runs[2] as Run, { name: 'COMPLETED' });
    await done;
    const others = outcomes().slice(1);
    expect(others.toSorted((a, b) => a.runId.localeCompare(b.runId))).toMatchObject([
      { line: 1, action: 'undelivered', runId: 'run-0' },
      { line: 3, action: 'delivered', runId: 'run-2' },
    ]);
  });

  it.concurrent('ends with the error of a call that did not reach Temporal', async () => {
    const { done } = follow([
      {
        ...(runsOf(1, {})[0] as Run),
        get name(): string {
          throw grpcError(UNAVAILABLE, 'No connection established');
        },
      },
    ]);
    await expect(done).rejects.toMatchObject({ code: UNAVAILABLE });
  });
});
