import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import {
  checkRequestRemotely,
  requestWorkerCheck,
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
  const handle = {
    workflowId: 'live-migration-prep-check/1',
    result: () => Promise.reject(failure),
  };
  const context = contextWith({
    workflow: { start: () => Promise.resolve(handle) },
    workflowService: { describeTaskQueue: () => Promise.resolve({ pollers }) },
    options: {},
  });
  return { context, report, handle };
}

const WARNING: Finding = { check: 'sink drop', state: 'warning', message: 'slow' };
const ERROR: Finding = { check: 'sink drop', state: 'error', message: 'down' };

const NO_REPORT = 'sent no report (no worker took the activity)';

it.each([
  ['no finding', [], polledAgo(0), NO_REPORT],
  ['warnings alone', [WARNING], polledAgo(0), NO_REPORT],
  ['an error, while no worker polls,', [ERROR], [], 'no worker polls task queue prep: start one'],
])(
  'a worker check that fails with %s ends with exit code 1 and the reason',
  async (_what, findings, pollers, reason) => {
    const failure = { exitCode: 1, message: expect.stringContaining(reason) };
    await expect(requestWorkerCheck(failingCheck(findings, pollers).context)).rejects.toMatchObject(
      failure,
    );
  },
);

it('a worker check reports errors even if a fast clock makes the worker seem gone', async () => {
  const { context, report } = failingCheck([ERROR], polledAgo(240_000));
  expect(await requestWorkerCheck(context)).toEqual(report);
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
  const { context, report, handle } = failingCheck([ERROR]);
  const raw = { pendingActivities: [{ lastFailure: { message: 'sink drop: down' } }] };
  const result = new Promise((resolve) => {
    const describe = () => Promise.resolve({ raw });
    // The check ends after a look at its run.
    Object.assign(handle, { describe: () => describe().finally(() => resolve(report)) });
  });
  handle.result = () => result as Promise<never>;
  const setFollowUp = jest.fn();
  context.output.setFollowUp = setFollowUp;
  await requestWorkerCheck(context);
  expect(setFollowUp.mock.calls).toEqual([
    [
      'a check has no answer yet from a worker of task queue prep: check that one runs;' +
        ' a stopped worker stays listed as polling for five minutes',
    ],
    ['a worker repeats the check, which failed: sink drop: down'],
    [],
  ]);
});
