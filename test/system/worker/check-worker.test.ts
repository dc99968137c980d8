import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { checkReportSchema } from '../../../src/contract/schemas';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { VERSION } from '../../../src/version';
import { newOrgId } from '../../support/ids';
import { startSystem } from '../../support/installation';
import { setUp } from '../../support/set-up';
import { sharedTemporal } from '../../support/temporal';

const sinkIn = (directory: string) => ({ type: 'file', directory });

/** Sink `files` works, and the directory of sink `broken` does not exist. */
const system = setUp(() =>
  startSystem({ config: { sinks: { files: sinkIn('tokens'), broken: sinkIn('nowhere') } } }),
);

afterEach(() => expect(system().atlas.requestsOn('linkTokens')).toEqual([]));

/** Runs a check. Returns its ending, its report and its number of attempts. */
async function check(...args: unknown[]) {
  const { client } = await sharedTemporal();
  const { atlas, installation } = system();
  const { taskQueue } = installation;
  const options = { workflowId: `check-${newOrgId()}`, taskQueue, args };
  const handle = await client.workflow.start(WORKFLOW_TYPES.checkWorker, options);
  const ending: unknown = await handle
    .result()
    .catch((error: unknown) => (error as WorkflowFailedError).cause);
  const { events } = await handle.fetchHistory();
  const attempts = (events ?? []).map(
    (event) => event.activityTaskStartedEventAttributes?.attempt ?? 0,
  );
  const failure = ending instanceof ApplicationFailure ? ending : null;
  expect(failure?.cause).toBeUndefined();
  const { findings, ...report } = checkReportSchema.parse(failure ? failure.details?.[0] : ending);
  const text = JSON.stringify([failure?.message, findings, report]);
  expect(text).not.toContain(atlas.account.clientSecret);
  return {
    ...report,
    type: failure ? failure.type : 'completed',
    message: failure?.message,
    attempts: Math.max(...attempts),
    text,
  };
}

describe('checkWorker', () => {
  it('completes after a brief error of Atlas, and returns the prepared request', async () => {
    const { atlas, installation } = system();
    const request = installation.newRequest({ accessListIps: ['17.2.0.0/15'], requestedBy: 'eve' });
    atlas.faults({ on: 'orgs', status: 503 });
    const warnings = [expect.stringMatching(/^accessListIps\[0\] "17\.2\.0\.0\/15" /)];
    const prepared = { ...request, credential: 'default', warnings };
    const worker = expect.stringMatching(new RegExp(`^\\d+@.+@${VERSION}$`));
    const completed = { type: 'completed', attempts: 2, fields: [], worker };
    expect(await check(request)).toMatchObject({ ...completed, request: prepared });
  });

  it('fails with the report of the third attempt, which names no organization', async () => {
    const message = expect.stringMatching(
      /^sink broken: the directory .* cannot be written \(ENOENT\)/,
    );
    const { text, ...report } = await check();
    expect(report).toMatchObject({
      type: 'WorkerCheckFailed',
      attempts: 3,
      message,
      request: null,
    });
    expect(text).toContain('may create link-tokens in 1 organization');
    expect(text).not.toContain(system().atlas.account.orgId);
  });

  it('fails at once for a credential that Atlas rejects', async () => {
    const { atlas, installation } = system();
    // Checks share an answer for two seconds.
    await sleep(2100);
    atlas.expire('accessTokens');
    atlas.faults({ on: 'oauth', status: 401, errorCode: 'invalid_client' });
    const message = expect.stringMatching(
      /^credential default: Atlas returned 401 .*; check the client id and secret of credential default/,
    );
    const failure = { type: 'WorkerCheckFailed', attempts: 1, message };
    expect(await check(installation.newRequest({ sink: 'broken' }))).toMatchObject(failure);
  });

  it('fails at once with every problem of a request and its findings', async () => {
    const { atlas, installation } = system();
    const wrong = { orgId: newOrgId(), sink: 'nowhere\u0007', accessListIps: ['0.0.0.0/0'] };
    const { message, text, ...report } = await check({ ...installation.newRequest(), ...wrong });
    const fields = ['accessListIps[0]', 'sink'].map((field) => ({ field }));
    expect(report).toMatchObject({ type: 'InvalidRequest', request: null, attempts: 1, fields });
    expect(message).not.toContain('\u0007');
    expect(text).not.toContain(atlas.account.orgId);
    expect(text).toContain(`${wrong.orgId} is not visible to credential default`);
    const noText = await check({ ...installation.newRequest(), orgId: {} });
    expect(noText).toMatchObject({ type: 'InvalidRequest', fields: [{ field: 'orgId' }] });
  });

  it('fails at once for a valid request whose organization is not visible', async () => {
    const orgId = newOrgId();
    const message = expect.stringContaining(`${orgId} is not visible to credential default`);
    const failure = { type: 'WorkerCheckFailed', attempts: 1, message, fields: [] };
    expect(await check(system().installation.newRequest({ orgId }))).toMatchObject(failure);
  });
});
