import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import {
  checkRequestRemotely,
  requestWorkerCheck,
  requireListedWorker,
} from '../../../../src/commands/runs/remote-check';
import type { FieldProblem, Finding, PrepareRequest } from '../../../../src/contract/schemas';
import { contextWith, polledAgo } from './context';

/** A check that fails with these findings. */
function failingCheck(findings: Finding[], pollers = polledAgo(0), fields: FieldProblem[] = []) {
  const report = { findings, request: null, fields };
  const cause = ApplicationFailure.retryable(
    'no worker took the activity',
    'WorkerCheckFailed',
    report,
  );
  const failure = new WorkflowFailedError('failed', cause, 'NON_RETRYABLE_FAILURE');
  const handle = { result: () => Promise.reject(failure) };
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
  ['no finding', []],
  ['warnings alone', [WARNING]],
])(
  'a worker check that fails with %s ends with exit code 1 and the reason',
  async (_what, findings) => {
    const failure = { exitCode: 1, message: expect.stringContaining(NO_REPORT) };
    await expect(requestWorkerCheck(failingCheck(findings).context)).rejects.toMatchObject(failure);
  },
);

it('a worker that the server does not list ends a check, with exit code 1', async () => {
  await expect(requireListedWorker(failingCheck([], []).context)).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringContaining('no worker polls task queue prep: start one'),
  });
});

it('a worker is listed even if a fast clock makes it seem gone', async () => {
  await requireListedWorker(failingCheck([], polledAgo(240_000)).context);
});

const FIELD: FieldProblem = { field: 'orgId', description: 'is missing' };

it.each([
  ['what the worker found', 'WorkerCheckFailed', [], 'checks in the worker failed', []],
  [
    'the malformed field, and what the worker found',
    'InvalidRequest',
    [FIELD],
    'the request has 1 problem',
    ['  orgId is missing'],
  ],
])('a failed check of a request names %s', async (_what, type, fields, problem, lines) => {
  const { context, report } = failingCheck([ERROR, WARNING], polledAgo(0), fields);
  const check = checkRequestRemotely(context, {} as PrepareRequest, 'nothing was started');
  await expect(check).rejects.toMatchObject({
    exitCode: 1,
    lines: [`nothing was started: ${problem}`, ...lines, '  error     sink drop: down'],
    facts: { type, ...report },
  });
});

it('a stopped command says what to look at, until a worker has answered', async () => {
  const { context } = failingCheck([ERROR]);
  const setFollowUp = jest.fn();
  context.output.setFollowUp = setFollowUp;
  await requestWorkerCheck(context);
  expect(setFollowUp.mock.calls).toEqual([
    [
      'a check has no answer yet from a worker of task queue prep: check that one runs;' +
        ' a stopped worker stays listed as polling for five minutes',
      expect.stringMatching(
        /^if a worker repeats the check, live-migration-prep-check\/\S+ in Temporal says why$/,
      ),
    ],
    [],
  ]);
});
