import { ServiceError, WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { createOutput } from '../../../../src/commands/cli/output';
import { createStop } from '../../../../src/commands/cli/stop';
import { redeliver } from '../../../../src/commands/runs/redeliver';

const workflowId = 'live-migration-prep/64f1c0ffee5eed0000000a71';

/** Redelivers the token of an open run, whose Update fails. The default lacks the permission to describe task queues. */
function redeliverAgainst(
  error: Error,
  describeTaskQueue: () => Promise<unknown> = () => Promise.reject(new Error('not permitted')),
  stderr: { write: (text: string) => unknown } = { write: () => undefined },
): Promise<void> {
  const handle = {
    describe: () =>
      Promise.resolve({ status: { name: 'RUNNING' }, type: 'prepareLiveMigration', taskQueue: 'prep' }),
    executeUpdate: () => Promise.reject(error),
  };
  const client = {
    workflow: { getHandle: () => handle },
    workflowService: { describeTaskQueue },
    options: {},
  };
  const output = createOutput({ stdout: { write: () => undefined }, stderr }, false, createStop());
  return redeliver(
    { client: client as unknown as Client, taskQueue: 'prep', isTaskQueueGiven: false, output },
    workflowId,
  );
}

/** The error with which server 1.32 rejects an Update beyond a run's limit. */
const USED_UP = Object.assign(new Error('9 FAILED_PRECONDITION'), {
  code: 9,
  details:
    'The limit on the total number of distinct updates in this workflow has been reached (2000). You can also Continue-as-New.',
  metadata: {},
});

describe('redeliver', () => {
  it('of a run that has had all its Updates says to cancel it and to recover its token', async () => {
    const error = new ServiceError('Workflow Update failed', { cause: USED_UP });
    await expect(redeliverAgainst(error)).rejects.toMatchObject({
      exitCode: 6,
      lines: [
        `${workflowId} has had all the Updates that Temporal accepts in one run (2,000): cancel it, then recover its token`,
        'live-migration-prep cancel --org 64f1c0ffee5eed0000000a71',
        'live-migration-prep recover --org 64f1c0ffee5eed0000000a71 --run-id <id of the cancelled run>',
      ],
      facts: { refused: 'updatesUsedUp' },
    });
  });

  it.each([
    ['RedeliveryInProgress', 6],
    ['NothingToDeliver', 6],
    ['SinkRejected', 5],
    ['SinkUnavailable', 5],
    ['SealedTokenUnreadable', 5],
    ['InvalidRequest', 1],
  ])('that ends with %s exits with %i', async (type, exitCode) => {
    const cause = ApplicationFailure.nonRetryable('why', type);
    await expect(redeliverAgainst(new WorkflowUpdateFailedError('failed', cause))).rejects.toMatchObject({
      exitCode,
      message: expect.stringMatching(`^${type}: why`),
      facts: { workflowId, type },
    });
  });

  it('notes that no worker polls the task queue, and waits for one', async () => {
    const write = jest.fn();
    const noPollers = () => Promise.resolve({ pollers: [] });
    await expect(redeliverAgainst(new Error('stopped'), noPollers, { write })).rejects.toThrow('stopped');
    expect(write).toHaveBeenCalledWith(
      expect.stringMatching(/^note: no worker polls task queue prep: start one/),
    );
  });
});
