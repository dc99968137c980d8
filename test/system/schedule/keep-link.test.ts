import type { ScheduleHandle } from '@temporalio/client';
import { WORKFLOW_TYPES } from '../../../src/contract/names';
import type { PrepareRequest, ScheduledResult } from '../../../src/contract/schemas';
import { atOnce } from '../../support/at-once';
import type { TestAtlas } from '../../support/atlas';
import { cleanUpLater } from '../../support/clean-up';
import type { Deployment, Handle } from '../../support/deployment';
import { endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { startForeignRun } from '../../support/foreign-run';
import { newOrgId } from '../../support/ids';
import { deploy, sharedTemporal, startAtlas } from '../../support/installation';
import { runEvery } from '../../support/schedules';
import { serveRejectingGrpcProxy } from '../../support/servers';
import { redeliver, untilStep } from '../../support/updates';

/** A status code of gRPC. */
const PERMISSION_DENIED = 7;

async function setScene(schedules: object = {}, temporalAddress?: string) {
  const atlas = await startAtlas();
  const { orgId, sourceOrgId, sourcePublicKey, sourcePrivateKey } = atlas.account;
  const deployment = await deploy({
    atlas,
    env: { SOURCE_PUBLIC_KEY: sourcePublicKey, SOURCE_PRIVATE_KEY: sourcePrivateKey },
    config: {
      schedules,
      atlas: {
        organizations: { [orgId]: { credential: 'default', sinks: ['files', 'rejects', 'cloudManager'] } },
      },
      sinks: {
        files: { type: 'file', directory: 'tokens' },
        rejects: { type: 'file', directory: 'sealing-keys.json' },
        cloudManager: {
          type: 'cloudManager',
          baseUrl: atlas.url,
          allowHttp: true,
          publicKey: { env: 'SOURCE_PUBLIC_KEY' },
          privateKey: { env: 'SOURCE_PRIVATE_KEY' },
          pollIntervalMs: 100,
        },
      },
    },
  });
  await deployment.startWorker(temporalAddress === undefined ? {} : { TEMPORAL_ADDRESS: temporalAddress });
  const tokens = () => atlas.createdTokens().length;
  const requestFor = (sink: string) => deployment.newRequest({ orgId, sourceOrgId, sink });
  return { atlas, deployment, tokens, requestFor };
}

/** The results of the first runs of a schedule, at most ten. */
async function firstResults(schedule: ScheduleHandle, count: number): Promise<ScheduledResult[]> {
  const { client } = await sharedTemporal();
  const runs = await eventually(
    `${count} runs`,
    async () => {
      const { recentActions } = (await schedule.describe()).info;
      return recentActions.length >= count && recentActions.slice(0, count);
    },
    60_000,
  );
  return Promise.all(
    runs.map(({ action }) => client.workflow.getHandle(action.workflow.workflowId).result()),
  ) as Promise<ScheduledResult[]>;
}

async function once({ taskQueue }: Deployment, ...args: unknown[]): Promise<Handle> {
  const { client } = await sharedTemporal();
  const workflowId = `once-${newOrgId()}`;
  return client.workflow.start(WORKFLOW_TYPES.prepareOnSchedule, {
    workflowId,
    taskQueue,
    args,
  });
}

async function resultOnce(deployment: Deployment, request: PrepareRequest): Promise<ScheduledResult> {
  return (await once(deployment, { request })).result() as unknown as Promise<ScheduledResult>;
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
  atOnce({
    async 'whose check wrongly says "not linked" creates one token, and none while that is recent, across an open run'() {
      const { deployment, tokens, requestFor } = await setScene();
      const request = requestFor('files');
      const [first, ...others] = await firstResults(
        await runEvery('1s', deployment.taskQueue, { request }),
        4,
      );
      expect(first).toMatchObject({ outcome: 'prepared' });
      const recentToken = { outcome: 'recentToken', lastTokenAt: first?.receipt?.createdAt, receipt: null };
      expect(others).toEqual([recentToken, recentToken, recentToken]);
      // A run without a previous result, such as one that is triggered by hand.
      expect(await resultOnce(deployment, request)).toEqual(recentToken);

      const open = await deployment.start({ ...request, sink: 'rejects', again: true });
      await untilStep(open, 'undelivered');
      expect(await resultOnce(deployment, request)).toEqual(recentToken);
      const { receipt } = await redeliver(open, { sink: 'files' });
      expect(receipt?.sink).toBe('files');
      expect(tokens()).toBe(2);
    },

    async 'creates a token although runs that are not of a worker of ours completed with a recent or a future time'() {
      const { client } = await sharedTemporal();
      const { deployment, tokens, requestFor } = await setScene();
      const request = requestFor('files');
      const { workflowId } = deployment.handleOf(request);
      const complete = async (workflowType: string, createdAt: string) =>
        (await startForeignRun(client, workflowId, workflowType)).complete({ createdAt });
      await complete(WORKFLOW_TYPES.prepare, '2099-01-01T00:00:00.000Z');
      await complete('foreign', new Date().toISOString());
      expect(await resultOnce(deployment, request)).toMatchObject({ outcome: 'prepared' });
      expect(tokens()).toBe(1);
    },

    async 'cancelled while Atlas fails to check the link: CANCELLED, which pauses no schedule'() {
      const { atlas, deployment, requestFor } = await setScene();
      atlas.faults({ on: 'availableProjects', delayMs: 1500, status: 500 });
      const handle = await once(deployment, { request: requestFor('files') });
      await eventually('the check', () => atlas.requestsOn('availableProjects').length === 1);
      await handle.cancel();
      expect(await endingOf(handle)).toMatchObject({ type: 'CANCELLED' });
    },

    async 'whose worker may not list runs fails at once, names the permission, and creates no token'() {
      const { address } = await sharedTemporal();
      // A worker that is denied the list when it starts does not start.
      let isDenied = false;
      const denied = { test: (path: string) => isDenied && path.endsWith('/ListWorkflowExecutions') };
      const proxy = await serveRejectingGrpcProxy(Number(address.split(':')[1]), denied, PERMISSION_DENIED);
      cleanUpLater(() => proxy.close());
      const { deployment, tokens, requestFor } = await setScene({}, `127.0.0.1:${proxy.port}`);
      isDenied = true;
      const ending = await endingOf(await once(deployment, { request: requestFor('files') }));
      expect(ending).toMatchObject({
        type: 'TemporalUnavailable',
        message: expect.stringContaining('grant the worker the permission to list and read workflow runs'),
      });
      expect(tokens()).toBe(0);
    },
  });
});

describe('of one organization,', () => {
  let scene: Awaited<ReturnType<typeof setScene>>;

  beforeAll(async () => {
    scene = await setScene({ minimumTokenAgeMs: 0 });
  });

  it('a scheduled run with a link check that Atlas refuses fails with the reason, and creates no token', async () => {
    const { atlas, deployment, tokens, requestFor } = scene;
    atlas.faults([
      { on: 'availableProjects', status: 503 },
      { on: 'availableProjects', status: 403 },
    ]);
    const ending = await endingOf(await once(deployment, { request: requestFor('files') }));
    expect(ending).toMatchObject({
      type: 'AtlasRequestRejected',
      details: { status: 403, unconfirmedTokens: 0 },
    });
    expect(ending.message).toContain('to the available-projects request');
    expect(tokens()).toBe(0);
  });

  it('a scheduled run whose sink cannot know learns from Atlas that the organization is linked', async () => {
    const { atlas, deployment, tokens, requestFor } = scene;
    const checks = atlas.requestsOn('availableProjects').length;
    await endingOf(await deployment.start({ ...requestFor('cloudManager'), again: true }));
    const other = { ...requestFor('files'), sourceOrgId: newOrgId() };
    expect(await resultOnce(deployment, other)).toEqual({
      outcome: 'alreadyLinked',
      lastTokenAt: null,
      receipt: null,
    });
    expect(atlas.requestsOn('availableProjects')).toHaveLength(checks + 1);
    expect(tokens()).toBe(1);
  });

  it('a scheduled run with always: true asks nobody', async () => {
    const { atlas, deployment, tokens, requestFor } = scene;
    const before = tokens();
    await endingOf(await deployment.start({ ...requestFor('cloudManager'), again: true }));
    const request = requestFor('cloudManager');
    await (await once(deployment, { request, always: true })).result();
    expect(atlas.requestsOn('migrationLinkStatus')).toHaveLength(0);
    expect(tokens()).toBe(before + 2);
  });

  it('a schedule of a linked organization creates no token in ten runs, and one once the link is removed', async () => {
    const { deployment, tokens, requestFor } = scene;
    const before = tokens();
    const request = requestFor('cloudManager');
    const { receipt } = await endingOf(await deployment.start({ ...request, again: true }));

    const results = await firstResults(await runEvery('1s', deployment.taskQueue, { request }), 10);
    const alreadyLinked = { outcome: 'alreadyLinked', lastTokenAt: receipt?.createdAt, receipt: null };
    expect(results).toEqual(Array(10).fill(alreadyLinked));
    expect(tokens()).toBe(before + 1);

    await removeLink(scene.atlas);
    expect(await resultOnce(deployment, request)).toMatchObject({
      outcome: expect.stringMatching(/prepared|alreadyRunning/),
    });
    await eventually('a second token', () => tokens() === before + 2);
  });
});
