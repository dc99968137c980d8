import { ServiceError, type Client } from '@temporalio/client';
import { createOutput } from '../../../../src/commands/cli/output';
import { createStop } from '../../../../src/commands/cli/stop';
import { redeliver } from '../../../../src/commands/runs/redeliver';

const workflowId = 'live-migration-prep/64f1c0ffee5eed0000000a71';

/** The error with which server 1.32 rejects an Update beyond a run's limit. */
const USED_UP = Object.assign(new Error('9 FAILED_PRECONDITION'), {
  code: 9,
  details:
    'The limit on the total number of distinct updates in this workflow has been reached (2000). You can also Continue-as-New.',
  metadata: {},
});

it('of a run that has had all its Updates says to cancel it and to recover its token', async () => {
  const handle = {
    describe: () =>
      Promise.resolve({ status: { name: 'RUNNING' }, type: 'prepareLiveMigration', taskQueue: 'prep' }),
    executeUpdate: () => Promise.reject(new ServiceError('Workflow Update failed', { cause: USED_UP })),
  };
  const workflowService = { describeTaskQueue: () => Promise.reject(new Error('not permitted')) };
  const client = { workflow: { getHandle: () => handle }, workflowService, options: {} } as unknown as Client;
  const silent = { write: () => undefined };
  const output = createOutput({ stdout: silent, stderr: silent }, false, createStop());
  await expect(
    redeliver({ client, taskQueue: 'prep', isTaskQueueGiven: false, output }, workflowId),
  ).rejects.toMatchObject({
    exitCode: 6,
    lines: [
      `${workflowId} has had all the Updates that Temporal accepts in one run (2,000): cancel it, then recover its token`,
      'live-migration-prep cancel --org 64f1c0ffee5eed0000000a71',
      'live-migration-prep recover --org 64f1c0ffee5eed0000000a71 --run-id <id of the cancelled run>',
    ],
  });
});
