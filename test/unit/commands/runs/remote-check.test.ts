import { WorkflowFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { createOutput } from '../../../../src/commands/cli/output';
import { createStop } from '../../../../src/commands/cli/stop';
import { checkWorker } from '../../../../src/commands/runs/remote-check';

it.each([
  ['a finding', []],
  ['an error', [{ check: 'sink drop', state: 'warning', message: 'slow' }]],
])('a check that failed without %s is an error with the reason', async (_what, findings) => {
  const report = { findings, request: null, fields: [] };
  const cause = ApplicationFailure.retryable('no worker took the activity', 'WorkerCheckFailed', report);
  const failed = new WorkflowFailedError('failed', cause, 'NON_RETRYABLE_FAILURE');
  const handle = { workflowId: 'live-migration-prep-check/1', result: () => Promise.reject(failed) };
  const workflowService = { describeTaskQueue: () => Promise.reject(new Error('not permitted')) };
  const client = { workflow: { start: () => Promise.resolve(handle) }, workflowService, options: {} };
  const silent = { write: () => undefined };
  const output = createOutput({ stdout: silent, stderr: silent }, false, createStop());
  const context = { taskQueue: 'prep', isTaskQueueGiven: false, output };
  await expect(checkWorker({ ...context, client: client as unknown as Client })).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringContaining('sent no report (no worker took the activity)'),
  });
});
