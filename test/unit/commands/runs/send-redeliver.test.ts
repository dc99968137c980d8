import { QueryRejectedError } from '@temporalio/client';
import { redeliver } from '../../../../src/commands/runs/send-redeliver';
import { PAUSED } from '../../../../src/commands/runs/why-stuck';
import { workflowIdFor } from '../../../../src/contract/workflow-id';
import { ORG } from '../../samples';
import { contextWith } from './context';

const workflowId = workflowIdFor({ orgId: ORG });

/**
 * Redelivers the token of a run that takes no Update; no worker polls its task queue.
 *
 * @param queryError with which the Query for the status fails.
 */
function redeliverInVain(queryError = new Error('no worker')) {
  const status = { name: 'RUNNING' };
  const run = {
    workflowId,
    runId: 'run',
    status,
    type: 'prepareLiveMigration',
    taskQueue: 'its own',
    raw: {},
  };
  const handle = {
    describe: () => Promise.resolve(run),
    query: () => Promise.reject(queryError),
    executeUpdate: () => Promise.reject(new Error('it takes no Update')),
  };
  const context = contextWith({
    workflow: { getHandle: () => handle },
    connection: { withDeadline: (_at: number, query: () => unknown) => query() },
    workflowService: { describeTaskQueue: () => Promise.resolve({ pollers: [] }) },
    options: {},
  });
  return { context, redelivery: redeliver(context, workflowId) };
}

it('redeliver says how to unpause a run that an operator paused', async () => {
  await expect(
    redeliverInVain(Object.create(QueryRejectedError.prototype) as Error).redelivery,
  ).rejects.toMatchObject({
    exitCode: 6,
    lines: [
      `${workflowId} can take no Update: ${PAUSED}`,
      `temporal workflow unpause --workflow-id ${workflowId}`,
    ],
    facts: { type: 'RunPaused' },
  });
});

it('redeliver says that no worker polls the task queue of the run, and that it waits', async () => {
  const { context, redelivery } = redeliverInVain();
  await expect(redelivery).rejects.toThrow();
  const notes = context.printed.filter((line) => line.startsWith('note: '));
  expect(notes).toEqual([
    expect.stringMatching(/^note: no worker polls task queue its own: start one/),
    'note: no worker responds: this command waits for one\n',
  ]);
});
