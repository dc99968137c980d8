import type { ScheduleHandle } from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { WORKFLOW_TYPES } from '../../../src/contract/names';
import type { PrepareRequest, ScheduledResult } from '../../../src/contract/schemas';
import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { startForeignRun } from '../../support/foreign-run';
import { FILE_SINKS, deploy, type Deployment, type Handle } from '../../support/installation';
import { createOwnOrganizations, type OwnOrganizations } from '../../support/organizations';
import { endingOf, redeliver, startAndAwait, untilStep } from '../../support/runs';
import { runEvery, startScheduled } from '../../support/schedules';
import { sharedTemporal, untilClosedAreListed } from '../../support/temporal';

/** The results of the first runs of a schedule, at most ten. */
async function firstResults(schedule: ScheduleHandle, count: number): Promise<ScheduledResult[]> {
  const { client } = await sharedTemporal();
  const runs = await eventually(`${count} runs`, async () => {
    const { recentActions } = (await schedule.describe()).info;
    return recentActions.length >= count && recentActions.slice(0, count);
  });
  const ids = runs.map(({ action }) => action.workflow.workflowId);
  return Promise.all(ids.map((id) => client.workflow.getHandle(id).result() as Promise<ScheduledResult>));
}

/** The result of a run without a previous result, such as one that an operator triggers. */
async function resultOnce({ taskQueue }: Deployment, request: PrepareRequest): Promise<ScheduledResult> {
  return (await startScheduled(taskQueue, { request })).result();
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
    const skipped = async () => (await schedule.describe()).info.numActionsSkippedOverlap;
    await eventually('skipped runs', async () => (await skipped()) >= 2);
    expect(own.created(request)).toBe(1);

    const { receipt } = await redeliver(first, { sink: 'files' });
    const [result] = await firstResults(schedule, 1);
    expect(result).toEqual({ outcome: 'prepared', lastTokenAt: receipt?.createdAt, receipt });
    const second = await untilUndelivered(request, runId);
    await second.cancel();
    await eventually('a pause', async () => (await schedule.describe()).state.paused);
    expect(own.created(request)).toBe(2);
  });

  it.concurrent('creates no second token while its token is recent, also beside an open run', async () => {
    const request = own.newRequest();
    const [first, second] = await firstResults(await runEvery('1s', deployment.taskQueue, { request }), 2);
    expect(first).toMatchObject({ outcome: 'prepared' });
    const recentToken = { outcome: 'recentToken', lastTokenAt: first?.receipt?.createdAt, receipt: null };
    expect(second).toEqual(recentToken);
    expect(await resultOnce(deployment, request)).toEqual(recentToken);

    const open = await deployment.start({ ...request, sink: 'rejects', again: true });
    await untilStep(open, 'undelivered');
    expect(await resultOnce(deployment, request)).toEqual(recentToken);
    expect(own.created(request)).toBe(2);
  });

  it.concurrent(
    'creates a token although foreign runs completed with a recent or a future time',
    async () => {
      const { client } = await sharedTemporal();
      const request = own.newRequest();
      const { workflowId } = deployment.handleOf(request);
      for (const [workflowType, createdAt] of [
        [WORKFLOW_TYPES.prepare, '2099-01-01T00:00:00.000Z'],
        ['foreign', new Date().toISOString()],
      ] as const) {
        await (await startForeignRun(client, workflowId, workflowType)).complete({ createdAt });
      }
      await untilClosedAreListed(workflowId, 2);
      expect(await resultOnce(deployment, request)).toMatchObject({ outcome: 'prepared' });
    },
  );
});

it('a schedule creates no token while the source is linked, however old its token is', async () => {
  const atlas = await startAtlas();
  const { sourceOrgId, sourcePublicKey, sourcePrivateKey } = atlas.account;
  const cloudManager = {
    type: 'cloudManager',
    baseUrl: atlas.url,
    allowHttp: true,
    publicKey: { env: 'SOURCE_PUBLIC_KEY' },
    privateKey: { env: 'SOURCE_PRIVATE_KEY' },
    pollIntervalMs: 100,
  };
  const deployment = await deploy({
    atlas,
    env: { SOURCE_PUBLIC_KEY: sourcePublicKey, SOURCE_PRIVATE_KEY: sourcePrivateKey },
    config: { schedules: { minimumTokenAgeMs: 0 }, sinks: { files: FILE_SINKS.files, cloudManager } },
  });
  await deployment.startWorker();
  const request = deployment.newRequest({ sourceOrgId, sink: 'cloudManager' });
  const { receipt } = await endingOf(await deployment.start(request));
  const schedule = await runEvery('1s', deployment.taskQueue, { request });
  const alreadyLinked = { outcome: 'alreadyLinked', lastTokenAt: receipt?.createdAt, receipt: null };
  expect(await firstResults(schedule, 3)).toEqual(Array(3).fill(alreadyLinked));
  // A sink of files cannot know: Atlas says so.
  const other = deployment.newRequest({ sink: 'files' });
  expect(await resultOnce(deployment, other)).toEqual({ ...alreadyLinked, lastTokenAt: null });
  expect(atlas.createdTokens()).toHaveLength(1);

  // The link and its token are gone.
  atlas.reset();
  await eventually('another token', () => atlas.createdTokens().length === 1);
});
