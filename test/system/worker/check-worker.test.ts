import { mkdirSync, rmdirSync } from 'node:fs';
import path from 'node:path';
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
let spareFolder: string;

beforeAll(async () => {
  atlas = await startAtlas();
  const sinkIn = (directory: string) => ({ type: 'file', directory });
  deployment = await deploy({
    atlas,
    config: { sinks: { files: sinkIn('tokens'), spare: sinkIn('spare') } },
  });
  spareFolder = path.join(deployment.folder, 'spare');
  await deployment.startWorker();
});

beforeEach(() => mkdirSync(spareFolder, { recursive: true }));

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
  it('completes after a brief error of Atlas, with a finding for each part, and names no organization', async () => {
    atlas.faults({ on: 'orgs', status: 503 });
    const report = await check();
    expect(report).toMatchObject({ type: 'completed', request: null, fields: [], attempts: 2 });
    expect(report.states).toEqual([
      'list of runs: ok',
      'sealing keys: ok',
      'credential default: ok',
      'sink files: ok',
      'sink spare: ok',
    ]);
    expect(report.text).not.toContain(atlas.account.orgId);
  });

  it('fails at once for a credential that Atlas rejects', async () => {
    atlas.expire('accessTokens');
    atlas.faults({ on: 'oauth', status: 401, errorCode: 'invalid_client' });
    const { type, message, attempts, states } = await check();
    expect({ type, attempts }).toEqual({ type: 'WorkerCheckFailed', attempts: 1 });
    expect(message).toMatch(/^credential default: Atlas returned 401 .*; check the service account's/);
    expect(states).toContain('credential default: error');
    expect(states).toContain('sink files: ok');
  });

  it('completes with the request as a run would use it, at once, although another sink is broken', async () => {
    const { orgId } = atlas.account;
    const accessListIps = ['192.31.196.7', '10.0.0.1'];
    const request = deployment.newRequest({ accessListIps, requestedBy: 'eve' });
    rmdirSync(spareFolder);
    const report = await check(request);
    expect(report).toMatchObject({ type: 'completed', attempts: 1 });
    expect(report.states).toEqual([
      'list of runs: ok',
      'sealing keys: ok',
      'credential default: ok',
      `organization ${orgId}: ok`,
      'sink files: ok',
    ]);
    expect(report.request).toMatchObject({
      ...request,
      credential: 'default',
      warnings: [expect.stringMatching(/^accessListIps\[1\] "10\.0\.0\.1" /)],
    });
  });

  it('fails with the report of the third try when the sink of the request stays broken', async () => {
    rmdirSync(spareFolder);
    const { type, message, attempts } = await check(deployment.newRequest({ sink: 'spare' }));
    expect({ type, attempts }).toEqual({ type: 'WorkerCheckFailed', attempts: 3 });
    expect(message).toMatch(/^sink spare: the directory .* cannot be written \(ENOENT\)/);
  });

  it.each<[what: string, input: object, fields: string[]]>([
    [
      'every problem, an organization that is not visible included',
      { orgId: newOrgId(), sink: 'nowhere\u0007', accessListIps: ['0.0.0.0/0'] },
      ['accessListIps[0]', 'sink', 'orgId'],
    ],
    ['an organization that is an object', { orgId: {} }, ['orgId']],
  ])('fails InvalidRequest with %s', async (_what, input, fields) => {
    const report = await check({ ...deployment.newRequest(), ...input });
    expect(report).toMatchObject({ type: 'InvalidRequest', request: null, attempts: 1 });
    expect(report.fields.map(({ field }) => field)).toEqual(fields);
    expect(report.message).not.toContain('\u0007');
    expect(report.text).not.toContain(atlas.account.orgId);
  });
});
