import { mkdirSync, rmdirSync } from 'node:fs';
import type { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { WORKFLOW_TYPES } from '../../../src/contract/names';
import { checkReportSchema, type CheckReport } from '../../../src/contract/schemas';
import { startAtlas, type TestAtlas } from '../../support/atlas';
import { newOrgId } from '../../support/ids';
import { deploy, type Config, type Deployment } from '../../support/installation';
import { sharedTemporal } from '../../support/temporal';

let atlas: TestAtlas;

beforeAll(async () => {
  atlas = await startAtlas();
});

afterEach(() => {
  expect(atlas.requestsOn('linkTokens')).toEqual([]);
  expect(atlas.state().serviceAccounts).toHaveLength(1);
});

interface Outcome extends CheckReport {
  type: string;
  message: string;
  attempts: number;
}

async function check(deployment: Deployment, ...args: unknown[]): Promise<Outcome> {
  const { client } = await sharedTemporal();
  const handle = await client.workflow.start(WORKFLOW_TYPES.checkWorker, {
    workflowId: `check-${newOrgId()}`,
    taskQueue: deployment.taskQueue,
    args,
  });
  const ending: unknown = await handle
    .result()
    .catch((error: unknown) => (error as WorkflowFailedError).cause);
  const { events } = await handle.fetchHistory();
  const attempts = (events ?? []).flatMap(({ activityTaskStartedEventAttributes: started }) =>
    started ? [started.attempt ?? 0] : [],
  );
  const failure = ending instanceof ApplicationFailure ? ending : null;
  expect(failure?.cause).toBeUndefined();
  const text = JSON.stringify(failure ? [failure.message, failure.details] : ending);
  expect(text).not.toContain(atlas.account.clientSecret);
  // JSON writes a control character as an escape with one backslash.
  expect(text).not.toMatch(/(?<!\\)\\u00|[\u007f-\u009f\u202e]/);
  return {
    ...checkReportSchema.parse(failure ? failure.details?.[0] : ending),
    type: failure ? String(failure.type) : 'completed',
    message: failure?.message ?? '',
    attempts: Math.max(0, ...attempts),
  };
}

async function running(config: Config = {}): Promise<Deployment> {
  const deployment = await deploy({ atlas, config });
  await deployment.startWorker();
  return deployment;
}

const states = ({ findings }: CheckReport) => findings.map(({ check, state }) => `${check}: ${state}`);

describe('checkWorker', () => {
  let usual: Deployment;

  beforeAll(async () => {
    usual = await running();
  });

  it('completes with a finding for each part, and names no organization', async () => {
    const report = await check(usual);
    expect(report).toMatchObject({ type: 'completed', request: null, fields: [], attempts: 1 });
    expect(states(report)).toEqual([
      'list of runs: ok',
      'sealing keys: ok',
      'credential default: ok',
      'sink files: ok',
    ]);
    expect(JSON.stringify(report)).not.toContain(atlas.account.orgId);
  });

  it('fails at once for a credential that Atlas rejects', async () => {
    atlas.expire('accessTokens');
    atlas.faults({ on: 'oauth', status: 401, errorCode: 'invalid_client' });
    const report = await check(usual);
    expect(report).toMatchObject({ type: 'WorkerCheckFailed', attempts: 1 });
    expect(report.message).toMatch(/^credential default: Atlas returned 401 .*; check the service account's/);
    expect(states(report)).toEqual([
      'list of runs: ok',
      'sealing keys: ok',
      'credential default: error',
      'sink files: ok',
    ]);
  });

  it('tries again after a brief error of Atlas', async () => {
    atlas.faults({ on: 'orgs', status: 503 });
    expect(await check(usual)).toMatchObject({ type: 'completed', attempts: 2 });
  });

  it('fails with the report of the third try when the error stays', async () => {
    rmdirSync(usual.tokensFolder);
    const report = await check(usual);
    mkdirSync(usual.tokensFolder);
    expect(report).toMatchObject({ type: 'WorkerCheckFailed', attempts: 3 });
    expect(report.message).toMatch(/^sink files: the directory .* cannot be written \(ENOENT\)/);
  });

  describe('with a request', () => {
    let deployment: Deployment;

    beforeAll(async () => {
      deployment = await running({
        sinks: {
          files: { type: 'file', directory: 'tokens' },
          broken: { type: 'file', directory: 'nowhere' },
        },
      });
    });

    it('completes with the request as a run would use it, whatever becomes of other sinks', async () => {
      const { orgId } = atlas.account;
      const request = deployment.newRequest({
        accessListIps: ['192.31.196.7', '10.0.0.1'],
        requestedBy: 'eve',
      });
      const report = await check(deployment, request);
      expect(report.type).toBe('completed');
      expect(states(report)).toEqual([
        'list of runs: ok',
        'sealing keys: ok',
        'credential default: ok',
        `organization ${orgId}: ok`,
        'sink files: ok',
      ]);
      expect(report.request).toMatchObject({
        ...request,
        credential: 'default',
        accessListIps: ['192.31.196.7', '10.0.0.1'],
      });
      expect(report.request?.warnings).toEqual([expect.stringMatching(/^accessListIps\[1\] "10\.0\.0\.1" /)]);
    });

    it('fails InvalidRequest with every problem, an organization that is not visible included', async () => {
      const request = deployment.newRequest({
        orgId: newOrgId(),
        sink: 'nowhere\u0007',
        accessListIps: ['0.0.0.0/0'],
      });
      const report = await check(deployment, request);
      expect(report).toMatchObject({ type: 'InvalidRequest', request: null, attempts: 1 });
      expect(report.fields.map(({ field }) => field)).toEqual(['accessListIps[0]', 'sink', 'orgId']);
      expect(report.message).toContain('orgId is not visible to credential default');
      expect(report.message).not.toContain(atlas.account.orgId);
    });

    it('fails WorkerCheckFailed when the sink of the request is broken', async () => {
      const report = await check(deployment, deployment.newRequest({ sink: 'broken' }));
      expect(report).toMatchObject({ type: 'WorkerCheckFailed' });
      expect(report.message).toMatch(/^sink broken: /);
    });

    it.each<[what: string, input: unknown]>([
      ['an organization that is an object', { orgId: {} }],
      ['an unknown field of 100,000 characters', { fields: 'x'.repeat(100_000) }],
    ])('fails InvalidRequest for %s', async (_what, input) => {
      const report = await check(deployment, input);
      expect(report.type).toBe('InvalidRequest');
      expect(report.fields.length).toBeGreaterThan(0);
    });
  });
});
