import { revokeLinkTokenActivity } from '../../../src/activities/revoke-link-token';
import type { AdminApi } from '../../../src/atlas/admin-api';
import { connectionError, responseError } from '../../../src/atlas/outcomes';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { payloadConverter } from '../../../src/shared/payload-converter';
import { BACKOFF, ORG, OTHER_ORG } from '../samples';
import { STATUS, clientOf, listedRun } from '../temporal/scripted-server';
import { attemptIn, failureOf, organizations, refusedFields, type Untyped } from './attempt';

const TOKEN = { orgId: ORG, publicApiKey: 'abcdefgh' };
const UNKNOWN = { ...TOKEN, orgId: OTHER_ORG };
const IN_USE = { ...TOKEN, publicApiKey: 'inuse123' };
const OPEN_RUN = listedRun('run', {
  status: STATUS.running,
  memo: { fields: { publicApiKey: payloadConverter.toPayload(IN_USE.publicApiKey) } },
});
const DELETED = { outcome: 'deleted', keyId: 'id' } as const;
const GONE = { outcome: 'gone', keyId: null } as const;

/** A worker whose deletion has this outcome. */
function worker(
  isPermitted = true,
  list: () => object | Promise<object> = () => ({ executions: [] }),
) {
  const remove = jest.fn<
    ReturnType<AdminApi['deleteLinkTokenKey']>,
    Parameters<AdminApi['deleteLinkTokenKey']>
  >();
  remove.mockResolvedValue(DELETED);
  const atlas = { deleteLinkTokenKey: remove } as unknown as AdminApi;
  const activity = revokeLinkTokenActivity({ atlas, organizations }, BACKOFF, isPermitted);
  const attempt = (input: unknown, workflowType: string = WORKFLOW_TYPES.revoke) =>
    // Without a schedule-to-close timeout.
    attemptIn({ workflowType, scheduleToCloseTimeoutMs: 0 }, clientOf({ list })).run<
      unknown[],
      unknown,
      Untyped
    >(activity as Untyped, input);
  return { remove, attempt };
}

it('a receipt is enough to delete the key of its token, with the credential of its organization', async () => {
  const { remove, attempt } = worker();
  const receipt = { ...TOKEN, createdAt: '2020-01-01T00:00:00Z', location: 'somewhere' };
  const at = expect.any(String);
  expect(await attempt(receipt)).toEqual({ ...TOKEN, ...DELETED, at });
  expect(remove.mock.calls).toEqual([[ORG, 'abcdefgh', 'acme']]);
});

it('a key is gone at once, unless its token is so young that Atlas may not list it yet', async () => {
  const { remove, attempt } = worker();
  remove.mockResolvedValue(GONE);
  expect(await attempt(TOKEN)).toMatchObject(GONE);
  const young = { ...TOKEN, createdAt: new Date(Date.now() - 20_000).toISOString() };
  expect(await failureOf(attempt(young))).toMatchObject({
    type: 'AtlasUnavailable',
    nonRetryable: false,
  });
  const older = { ...TOKEN, createdAt: new Date(Date.now() - 40_000).toISOString() };
  expect(await attempt(older)).toMatchObject(GONE);
});

it.each([
  ['orgId', { ...TOKEN, orgId: `${ORG}/apiKeys?x=` }],
  ['publicApiKey', { ...TOKEN, publicApiKey: null }],
  ['publicApiKey', { ...TOKEN, publicApiKey: '../x' }],
])('an input with a malformed %s calls nothing', async (field, input) => {
  const { remove, attempt } = worker();
  expect(await refusedFields(attempt(input))).toEqual([field]);
  expect(remove).not.toHaveBeenCalled();
});

it.each([
  ['that the setting of the workers forbids', false, TOKEN, 'prepare', 'atlas.revocation', true],
  ['in an unknown organization', true, UNKNOWN, 'revoke', 'no credential', true],
  // A worker of another release may have its credential.
  ['by a run of an unknown organization', true, UNKNOWN, 'prepare', 'no credential', false],
  ['of the key of an open run', true, IN_USE, 'revoke', 'cancel that run', true],
] as const)(
  'a deletion %s is not sent: %s',
  async (_what, isPermitted, input, type, reason, nonRetryable) => {
    const { remove, attempt } = worker(isPermitted, () => ({ executions: [OPEN_RUN] }));
    expect(await failureOf(attempt(input, WORKFLOW_TYPES[type]))).toMatchObject({
      type: 'RevocationRefused',
      nonRetryable,
      message: expect.stringContaining(reason),
    });
    expect(remove).not.toHaveBeenCalled();
  },
);

it('a run revokes its own token while it is open, and without a list of runs', async () => {
  const list = () => Promise.reject(new Error('unavailable'));
  const { attempt } = worker(true, list);
  expect(await attempt(IN_USE, WORKFLOW_TYPES.prepare)).toMatchObject(DELETED);
  const failure = { type: 'TemporalUnavailable', nonRetryable: false };
  expect(await failureOf(attempt(IN_USE))).toMatchObject(failure);
});

it('a worker that does not trust the certificate leaves the key to another worker', async () => {
  const { remove, attempt } = worker();
  remove.mockRejectedValue(connectionError('apiKeys', false, 'CERT_HAS_EXPIRED', 'https://x'));
  expect(await failureOf(attempt(TOKEN))).toMatchObject({
    type: 'AtlasUnavailable',
    nonRetryable: false,
  });
});

it.each([
  [500, false],
  [429, false],
  [403, true],
])('after %i the failure is final: %s', async (status, nonRetryable) => {
  const { remove, attempt } = worker();
  remove.mockRejectedValue(
    responseError('deleteApiKey', 'default', { status, json: null, retryAfterMs: undefined }),
  );
  expect(await failureOf(attempt(TOKEN))).toMatchObject({ nonRetryable });
});
