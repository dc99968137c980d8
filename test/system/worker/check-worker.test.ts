import type { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { WORKFLOW_TYPES } from '../../../src/contract/names';
import { checkReportSchema } from '../../../src/contract/schemas';
import { startAtlas, type TestAtlas } from '../../support/atlas';
import { newOrgId } from '../../support/ids';
import { deploy, type Deployment } from '../../support/installation';
import { sharedTemporal } from '../../support/temporal';

let atlas: TestAtlas;
let deployment: Deployment;

/** Sink `files` works, and the directory of sink `broken` does not exist. */
beforeAll(async () => {
  atlas = await startAtlas();
  const sinkIn = (directory: string) => ({ type: 'file', directory });
  const sinks = { files: sinkIn('tokens'), broken: sinkIn('nowhere') };
  deployment = await deploy({ atlas, config: { sinks } });
  await deployment.startWorker();
});

afterEach(() => expect(atlas.requestsOn('linkTokens')).toEqual([]));

/** Returns what became of a check, the report that came with it, and its number of attempts. */
async function check(...args: unknown[]) {
  const { client } = await sharedTemporal();
  const { taskQueue } = deployment;
  const options = { workflowId: `check-${newOrgId()}`, taskQueue, args };
  const handle = await client.workflow.start(WORKFLOW_TYPES.checkWorker, options);
  const ending: unknown = await handle
    .result()
    .catch((error: unknown) => (error as WorkflowFailedError).cause);
  const { events } = await handle.fetchHistory();
  const attempts = (events ?? []).map((event) => event.activityTaskStartedEventAttributes?.attempt ?? 0);
  const failure = ending instanceof ApplicationFailure ? ending : null;
  expect(failure?.cause).toBeUndefined();
  const { findings, ...report } = checkReportSchema.parse(failure ? failure.details?.[0] : ending);
  const text = JSON.stringify([failure?.message, findings, report]);
  expect(text).not.toContain(atlas.account.clientSecret);
  return {
    ...report,
    states: findings.map(({ check: checked, state }) => `${checked}: ${state}`),
    type: failure ? failure.type : 'completed',
    message: failure?.message,
    attempts: Math.max(...attempts),
    text,
  };
}

describe('checkWorker', () => {
  it('completes after a brief error of Atlas with the request as a run would use it', async () => {
    const { orgId } = atlas.account;
    const request = deployment.newRequest({ accessListIps: ['17.2.0.0/15'], requestedBy: 'eve' });
    atlas.faults({ on: 'orgs', status: 503 });
    expect(await check(request)).toMatchObject({
      type: 'completed',
      attempts: 2,
      states: [
        'list of runs: ok',
        'sealing keys: ok',
        'credential default: ok',
        `organization ${orgId}: ok`,
        'sink files: ok',
      ],
      request: {
        ...request,
        credential: 'default',
        warnings: [expect.stringMatching(/^accessListIps\[0\] "17\.2\.0\.0\/15" /)],
      },
      fields: [],
    });
  });

  it('fails with the report of the third try, a finding for each part, and names no organization', async () => {
    const { text, ...report } = await check();
    expect(report).toMatchObject({
      type: 'WorkerCheckFailed',
      attempts: 3,
      message: expect.stringMatching(/^sink broken: the directory .* cannot be written \(ENOENT\)/),
      states: [
        'list of runs: ok',
        'sealing keys: ok',
        'credential default: ok',
        'role of credential default: ok',
        'sink files: ok',
        'sink broken: error',
      ],
      request: null,
    });
    expect(text).not.toContain(atlas.account.orgId);
  });

  it('fails at once for a credential that Atlas rejects', async () => {
    atlas.expire('accessTokens');
    atlas.faults({ on: 'oauth', status: 401, errorCode: 'invalid_client' });
    expect(await check(deployment.newRequest({ sink: 'broken' }))).toMatchObject({
      type: 'WorkerCheckFailed',
      attempts: 1,
      message: expect.stringMatching(
        /^credential default: Atlas returned 401 .*; check the service account's/,
      ),
    });
  });

  it('fails InvalidRequest at once with every problem, an organization that is not visible included', async () => {
    const wrong = { orgId: newOrgId(), sink: 'nowhere\u0007', accessListIps: ['0.0.0.0/0'] };
    const { message, text, ...report } = await check({ ...deployment.newRequest(), ...wrong });
    const fields = ['accessListIps[0]', 'sink', 'orgId'].map((field) => ({ field }));
    expect(report).toMatchObject({ type: 'InvalidRequest', request: null, attempts: 1, fields });
    expect(message).not.toContain('\u0007');
    expect(text).not.toContain(atlas.account.orgId);
    const noText = await check({ ...deployment.newRequest(), orgId: {} });
    expect(noText).toMatchObject({ type: 'InvalidRequest', fields: [{ field: 'orgId' }] });
  });
});
