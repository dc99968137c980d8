import { redeliver } from '../../../../src/commands/runs/send-redeliver';
import { PAUSED } from '../../../../src/commands/runs/why-stuck';
import { workflowIdFor } from '../../../../src/contract/workflow-id';
import { ORG, aReceipt } from '../../samples';
import { contextWith } from './context';

const workflowId = workflowIdFor({ orgId: ORG });

/** Redelivers the token of a run that takes no Update; no worker polls its task queue. */
function redeliverInVain(name = 'RUNNING') {
  const status = { name };
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
    executeUpdate: () => Promise.reject(new Error('it takes no Update')),
  };
  const context = contextWith({
    workflow: { getHandle: () => handle },
    workflowService: { describeTaskQueue: () => Promise.resolve({ pollers: [] }) },
    options: {},
  });
  return { context, redelivery: redeliver(context, workflowId) };
}

it('redeliver says how to unpause a run that an operator paused', async () => {
  await expect(redeliverInVain('PAUSED').redelivery).rejects.toMatchObject({
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
  ]);
});

it('redeliver --all calls a run delivered that has delivered since it was listed', async () => {
  const listed = (taskQueue: string) => ({
    workflowId,
    runId: taskQueue,
    type: 'prepareLiveMigration',
    taskQueue,
    startTime: new Date(),
    status: { name: 'RUNNING' },
    memo: { step: 'undelivered' },
  });
  const ended = { ...listed('prep'), status: { name: 'COMPLETED' } };
  const context = contextWith({
    workflow: {
      async *list() {
        yield* await Promise.resolve([listed('prep'), listed('other')]);
      },
      getHandle: () => ({
        describe: () => Promise.resolve(ended),
        result: () => Promise.resolve(aReceipt({ sink: 'drop', unconfirmedTokens: 0 })),
      }),
    },
    options: {},
  });
  await redeliver(context, null);
  expect(context.printed).toEqual([
    expect.stringMatching(/^note: left out 1 undelivered run on other task queues: /),
    expect.stringMatching(/^delivered +\S+ {2}in sink drop\n$/),
    '1 undelivered run: 1 delivered\n',
  ]);
});
