import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { checkRequestRemotely, checkWorker } from '../../../../src/commands/shared/remote-check';
import type { FieldProblem, Finding, PrepareRequest } from '../../../../src/contract/schemas';
import { contextWith, polledAgo } from './context';

/** A check that fails with these findings. */
function failingCheck(findings: Finding[], pollers = polledAgo(0), fields: FieldProblem[] = []) {
  const report = { findings, request: null, fields };
  const cause = ApplicationFailure.retryable('no worker took the activity', 'WorkerCheckFailed', report);
  const failed = new WorkflowFailedError('failed', cause, 'NON_RETRYABLE_FAILURE');
  const handle = { workflowId: 'live-migration-prep-check/1', result: () => Promise.reject(failed) };
  const context = contextWith({
    workflow: { start: () => Promise.resolve(handle) },
    workflowService: { describeTaskQueue: () => Promise.resolve({ pollers }) },
    options: {},
  });
  return { context, report };
}

const WARNING: Finding = { check: 'sink drop', state: 'warning', message: 'slow' };
const ERROR: Finding = { check: 'sink drop', state: 'error', message: 'down' };

const NO_REPORT = 'sent no report (no worker took the activity)';

it.each([
  ['finding', [], polledAgo(0), NO_REPORT],
  ['error', [WARNING], polledAgo(0), NO_REPORT],
  ['worker', [ERROR], [], 'no worker polls task queue prep: start one'],
])(
  'a check that fails without a %s is an error with the reason',
  async (_what, findings, pollers, reason) => {
    await expect(checkWorker(failingCheck(findings, pollers).context)).rejects.toMatchObject({
      exitCode: 1,
      message: expect.stringContaining(reason),
    });
  },
);

it('a check reports errors, also of a worker that seems gone by a clock that is four minutes fast', async () => {
  const { context, report } = failingCheck([ERROR], polledAgo(240_000));
  expect(await checkWorker(context)).toEqual(report);
});

const FIELD: FieldProblem = { field: 'orgId', description: 'down' };

it.each([
  ['WorkerCheckFailed', [], 'checks in the worker failed', '  error     sink drop: down'],
  // A finding that says the same as a field is not repeated.
  ['InvalidRequest', [FIELD], 'the request has 1 problem', '  orgId down'],
])('a check of a request fails with %s for %j', async (type, fields, problem, line) => {
  const { context, report } = failingCheck([ERROR, WARNING], polledAgo(0), fields);
  await expect(
    checkRequestRemotely(context, {} as PrepareRequest, 'nothing was started'),
  ).rejects.toMatchObject({
    exitCode: 1,
    lines: [`nothing was started: ${problem}`, line],
    facts: { type, ...report },
  });
});
