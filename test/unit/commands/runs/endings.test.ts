import { ApplicationFailure, CancelledFailure, TerminatedFailure } from '@temporalio/common';
import { toEndingError, toFailureError } from '../../../../src/commands/runs/endings';
import { DELIVERY_FAILURE_TYPES, FAILURE_TYPES } from '../../../../src/contract/names';

const workflowId = 'live-migration-prep/64f1c0ffee5eed0000000a71';
const failure = (type: string, details?: object) =>
  ApplicationFailure.nonRetryable('why', type, ...(details ? [details] : []));
const UNDELIVERED = [
  'the token is kept, encrypted, and the run goes on',
  expect.stringMatching(/^once the /),
];

it.each([
  ...FAILURE_TYPES.map((type) => [type, { Cancelled: 7, TokenExists: 6 }[type as string] ?? 1, []] as const),
  ...DELIVERY_FAILURE_TYPES.map((type) => [type, 5, UNDELIVERED] as const),
  ['NothingToDeliver', 6, []] as const,
  ['RedeliveryInProgress', 6, []] as const,
  ['DifferentRequest', 6, []] as const,
])('a failure of the type %s ends a command with %i', (type, exitCode, more) => {
  const facts = { workflowId, type };
  const error = toFailureError(failure(type), workflowId);
  expect(error).toMatchObject({ exitCode, lines: [`${type}: why`, ...more], facts });
});

it('the details of a failure are facts, and unconfirmed tokens a line with the command that lists them', () => {
  const details = { unconfirmedTokens: 2, status: 403, state: 'recoverable' };
  const { lines, facts } = toEndingError(failure('AtlasRequestRejected', details), {
    workflowId,
    runId: 'a',
  });
  expect(facts).toMatchObject({ refused: 'recoverable', details });
  expect(lines[1]).toMatch(
    /^Atlas may have created 2 tokens that the run never received; when, .*: live-mig/,
  );
  // The message of a cancelled run has the count.
  expect(toFailureError(failure('Cancelled', details), workflowId)?.lines).toEqual(['Cancelled: why']);
});

it('a run that ended without a failure of ours says how, and what may be left', () => {
  const ending = (cause: Error) => toEndingError(cause, { workflowId, runId: 'run' });
  expect(toFailureError(failure('TooManyWaiting'), workflowId)).toBeNull();
  const cancelled = { exitCode: 7, lines: ['the run was cancelled; no token was created'] };
  expect(ending(new CancelledFailure('cancelled'))).toMatchObject(cancelled);
  expect(ending(new Error('timeout'))).toMatchObject({ exitCode: 1, lines: ['the run failed: timeout'] });
  const terminated = ending(new TerminatedFailure('by mistake'));
  expect([terminated.exitCode, ...terminated.lines]).toEqual([
    1,
    'the run was terminated: by mistake',
    'if it held a token: live-migration-prep recover --org 64f1c0ffee5eed0000000a71 --run-id run',
    expect.stringMatching(/^if a request was in progress, Atlas may have created a token .*: look in Atlas/),
  ]);
});
