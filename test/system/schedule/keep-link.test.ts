import type { ScheduleHandle } from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { WORKFLOW_TYPES } from '../../../src/contract/names';
import type { PrepareRequest, ScheduledRequest, ScheduledResult } from '../../../src/contract/schemas';
import type { LinkState } from '../../../src/shared/activities';
import { startAtlas, type TestAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { startForeignRun } from '../../support/foreign-run';
import { newOrgId } from '../../support/ids';
import { FILE_SINKS, deploy, type Deployment, type Handle } from '../../support/installation';
import { createOwnOrganizations, type OwnOrganizations } from '../../support/organizations';
import { endingOf, redeliver, startAndAwait, untilStep } from '../../support/runs';
import { runEvery } from '../../support/schedules';
import { sharedTemporal } from '../../support/temporal';

type Results = (input: ScheduledRequest) => Promise<ScheduledResult>;

/** The results of the first runs of a schedule, at most ten. */
async function firstResults(schedule: ScheduleHandle, count: number): Promise<ScheduledResult[]> {
  const { client } = await sharedTemporal();
  const runs = await eventually(`${count} runs`, async () => {
    const { recentActions } = (await schedule.describe()).info;
    return recentActions.length >= count && recentActions.slice(0, count);
  });
  return Promise.all(
    runs.map(({ action }) => client.workflow.getHandle<Results>(action.workflow.workflowId).result()),
  );
}

/** Starts what a schedule starts. */
async function startOnce({ taskQueue }: Deployment, request: PrepareRequest) {
  const { client } = await sharedTemporal();
  const workflowId = `once-${newOrgId()}`;
  return client.workflow.start<Results>(WORKFLOW_TYPES.prepareOnSchedule, {
    workflowId,
    taskQueue,
    args: [{ request }],
  });
}

async function resultOnce(deployment: Deployment, request: PrepareRequest): Promise<ScheduledResult> {
  return (await startOnce(deployment, request)).result();
}

/** Removes the link in Atlas, as `atlas liveMigrations link delete` does. */
async function removeLink({ url, account: { orgId, clientId, clientSecret } }: TestAtlas): Promise<void> {
  const token = await fetch(`${url}/api/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  const { access_token: accessToken } = (await token.json()) as { access_token: string };
  const removed = await fetch(`${url}/api/atlas/v2/orgs/${orgId}/liveMigrations/linkTokens`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${accessToken}`, accept: 'application/vnd.atlas.2023-01-01+json' },
  });
  expect(removed.status).toBe(204);
}

describe('a schedule', () => {
  let own: OwnOrganizations;
  let deployment: Deployment;
  beforeAll(async () => {
    own = await createOwnOrganizations();
    ({ deployment } = own);
    await deployment.startWorker();
  });

  /** The run of a pair, once a schedule has started it, and another run than the given one. */
  async function untilUndelivered(request: PrepareRequest, otherThan?: string): Promise<Handle> {
    const handle = deployment.handleOf(request);
    await eventually('a run of the pair', async () => {
      const run = await handle.describe().catch(() => null);
      return run?.status.name === 'RUNNING' && run.runId !== otherThan;
    });
    await untilStep(handle, 'undelivered');
    return handle;
  }

  it.concurrent('creates one token while its sink rejects it, and pauses on a cancel', async () => {
    const request = own.newRequest({ sink: 'rejects' });
    const schedule = await runEvery('2s', deployment.taskQueue, { request, always: true });
    const first = await untilUndelivered(request);
    const { runId } = await first.describe();
    await expect(deployment.start(request)).rejects.toThrow(WorkflowExecutionAlreadyStartedError);
    expect(await startAndAwait(deployment, request)).toMatchObject({ type: 'SinkRejected' });
    await eventually('skipped runs', async () => {
      return (await schedule.describe()).info.numActionsSkippedOverlap >= 2;
    });
    expect(own.created(request)).toBe(1);

    const { receipt } = await redeliver(first, { sink: 'files' });
    const [result] = await firstResults(schedule, 1);
    expect(result).toEqual({ outcome: 'prepared', lastTokenAt: receipt?.createdAt, receipt });
    const second = await untilUndelivered(request, runId);
    await second.cancel();
    expect(await endingOf(second)).toMatchObject({ type: 'Cancelled' });
    await eventually('a pause', async () => (await schedule.describe()).state.paused);
    expect(own.created(request)).toBe(2);
  });

  it.concurrent('creates one token while that is recent, across an open run', async () => {
    const request = own.newRequest();
    const [first, second] = await firstResults(await runEvery('1s', deployment.taskQueue, { request }), 2);
    expect(first).toMatchObject({ outcome: 'prepared' });
    const recentToken = { outcome: 'recentToken', lastTokenAt: first?.receipt?.createdAt, receipt: null };
    expect(second).toEqual(recentToken);
    // A run without a previous result, such as one that is triggered by hand.
    expect(await resultOnce(deployment, request)).toEqual(recentToken);

    const open = await deployment.start({ ...request, sink: 'rejects', again: true });
    await untilStep(open, 'undelivered');
    expect(await resultOnce(deployment, request)).toEqual(recentToken);
    expect((await redeliver(open, { sink: 'files' })).receipt?.sink).toBe('files');
    expect(own.created(request)).toBe(2);
  });

  it.concurrent(
    'creates a token although foreign runs completed with a recent or a future time',
    async () => {
      const { client } = await sharedTemporal();
      const request = own.newRequest();
      const { workflowId } = deployment.handleOf(request);
      const complete = async (workflowType: string, createdAt: string) =>
        (await startForeignRun(client, workflowId, workflowType)).complete({ createdAt });
      await complete(WORKFLOW_TYPES.prepare, '2099-01-01T00:00:00.000Z');
      await complete('foreign', new Date().toISOString());
      expect(await resultOnce(deployment, request)).toMatchObject({ outcome: 'prepared' });
    },
  );

  it.concurrent('and a start on demand after the check of the link create one token', async () => {
    const { client } = await sharedTemporal();
    const request = own.newRequest();
    // By hand, since the check itself would see the token.
    const state: LinkState = { linked: false, recentToken: false, lastTokenAt: null, tokenRunId: null };
    const { createdAt } = await (await deployment.start(request)).result();
    own.setFaults(request, { on: 'availableProjects', delayMs: 60_000 });
    const scheduled = await startOnce(deployment, request);
    const activityId = await eventually('the check', async () => {
      return (await scheduled.describe()).raw.pendingActivities?.[0]?.activityId;
    });
    await client.activity.complete({ workflowId: scheduled.workflowId, activityId }, state);
    const expected = { outcome: 'recentToken', lastTokenAt: createdAt, receipt: null };
    expect(await scheduled.result()).toEqual(expected);
    expect(own.created(request)).toBe(1);
  });
});

describe('a schedule without a minimum age of the token', () => {
  let atlas: TestAtlas;
  let deployment: Deployment;
  beforeAll(async () => {
    atlas = await startAtlas();
    const { sourcePublicKey, sourcePrivateKey } = atlas.account;
    const cloudManager = {
      type: 'cloudManager',
      baseUrl: atlas.url,
      allowHttp: true,
      publicKey: { env: 'SOURCE_PUBLIC_KEY' },
      privateKey: { env: 'SOURCE_PRIVATE_KEY' },
      pollIntervalMs: 100,
    };
    deployment = await deploy({
      atlas,
      env: { SOURCE_PUBLIC_KEY: sourcePublicKey, SOURCE_PRIVATE_KEY: sourcePrivateKey },
      config: { schedules: { minimumTokenAgeMs: 0 }, sinks: { files: FILE_SINKS.files, cloudManager } },
    });
    await deployment.startWorker();
  });

  it('creates no token while the organization is linked, and one once the link is removed', async () => {
    const { sourceOrgId } = atlas.account;
    const request = deployment.newRequest({ sourceOrgId, sink: 'cloudManager' });
    const { receipt } = await endingOf(await deployment.start(request));
    const schedule = await runEvery('1s', deployment.taskQueue, { request });
    const alreadyLinked = { outcome: 'alreadyLinked', lastTokenAt: receipt?.createdAt, receipt: null };
    expect(await firstResults(schedule, 3)).toEqual(Array(3).fill(alreadyLinked));
    // A sink of files cannot know: Atlas says so.
    const other = deployment.newRequest({ sink: 'files' });
    expect(await resultOnce(deployment, other)).toEqual({ ...alreadyLinked, lastTokenAt: null });
    expect(atlas.createdTokens()).toHaveLength(1);

    await removeLink(atlas);
    await eventually('a second token', () => atlas.createdTokens().length === 2);
  });
});
