import {
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  TimeoutFailure,
} from '@temporalio/common';
import { toEndingError, toFailureError } from '../../../../src/commands/runs/describe-ending';
import { DELIVERY_FAILURE_TYPES, FAILURE_TYPES } from '../../../../src/contract/failure-types';
import { workflowIdFor } from '../../../../src/contract/workflow-id';
import { ORG } from '../../samples';

const workflowId = workflowIdFor({ orgId: ORG });
const RUN = { workflowId, runId: 'run' };
const failure = (type: string, ...details: object[]) =>
  ApplicationFailure.nonRetryable('why', type, ...details);
const NONE = { unconfirmedTokens: 0, deliveryId: null, publicApiKey: null, sink: null };
const UNDELIVERED = [
  'the token is kept, encrypted, and the run goes on',
  expect.stringMatching(/^once the /),
];

const unconfirmed = (count: string) => [
  expect.stringMatching(`^Atlas may have created up to ${count}, .* finds the keys:$`),
  expect.stringMatching(
    /^ {2}atlas organizations apiKeys list .* \| live-migration-prep api-keys /,
  ),
];

it.each([
  ...FAILURE_TYPES.map(
    (type) => [type, { Cancelled: 7, TokenExists: 6 }[type as string] ?? 1, []] as const,
  ),
  ...DELIVERY_FAILURE_TYPES.map((type) => [type, 5, UNDELIVERED] as const),
  ['NothingToDeliver', 6, []] as const,
  ['RedeliveryInProgress', 6, []] as const,
])('a failure of type %s ends a command for one run with exit code %i', (type, exitCode, more) => {
  const facts = { workflowId, type };
  const error = toFailureError(failure(type), workflowId);
  expect(error).toMatchObject({ exitCode, lines: [`${type}: why`, ...more], facts });
});

const DETAILS = { unconfirmedTokens: 2, status: 403 };

it('the details of a failure are printed as facts', () => {
  const { facts } = toEndingError(failure('AtlasRequestRejected', DETAILS), RUN, NONE);
  expect(facts).toMatchObject({ type: 'AtlasRequestRejected', details: DETAILS });
});

it('unconfirmed tokens are printed with the command that finds their keys', () => {
  const { lines = [] } = toFailureError(failure('SinkRejected', DETAILS), workflowId) ?? {};
  expect(lines.slice(-2)).toEqual(unconfirmed('2 unconfirmed tokens'));
  // The message of a run that ended has the count.
  const type = 'AtlasUnavailable';
  expect(toEndingError(failure(type, DETAILS), RUN, NONE).lines).toEqual([`${type}: why`]);
});

const DELETE =
  'if it held a token: look in the sink of its request first; if the token is not there,' +
  ' delete its API key in Atlas, which `live-migration-prep api-keys` finds';
const TIMEOUT = new TimeoutFailure('too long', undefined, 'START_TO_CLOSE');
const TERMINATED = new TerminatedFailure('by mistake');

it.each<[what: string, exitCode: number, cause: Error, ...lines: unknown[]]>([
  [
    'a cancel',
    7,
    new CancelledFailure('cancelled'),
    'the run was cancelled, and no API key of it is left',
  ],
  [
    'a timeout',
    1,
    TIMEOUT,
    'the run timed out: too long',
    DELETE,
    ...unconfirmed('1 unconfirmed token'),
  ],
  [
    'a termination',
    1,
    TERMINATED,
    'the run was terminated: by mistake',
    DELETE,
    ...unconfirmed('1 unconfirmed token'),
  ],
  ['a failure of another type', 1, failure('DifferentRequest'), 'the run failed: why'],
])(
  '%s of a run gives exit code %i, and the message says what happened',
  (_what, exitCode, cause, ...lines) => {
    expect(toEndingError(cause, RUN, NONE)).toMatchObject({ exitCode, lines });
  },
);

it('what a terminated run left is in its memo, but for the token of a request in progress', () => {
  const memo = {
    unconfirmedTokens: 2,
    deliveryId: 'one',
    publicApiKey: 'abcdefgh',
    sink: 'drop',
  };
  const { lines } = toEndingError(TERMINATED, RUN, memo);
  const token = JSON.stringify({ orgId: ORG, publicApiKey: 'abcdefgh' });
  expect(lines[1]).toBe(
    'if it held a token: look in sink drop first; if the token is not there,' +
      ` revoke it: \`echo '${token}' | live-migration-prep revoke --from -\``,
  );
  expect(lines.slice(2)).toEqual(unconfirmed('2 unconfirmed tokens'));
  const { lines: beforeToken } = toEndingError(TERMINATED, RUN, { ...NONE, unconfirmedTokens: 2 });
  expect(beforeToken.slice(2)).toEqual(unconfirmed('3 unconfirmed tokens'));
});
