import type { ScheduleHandle } from '@temporalio/client';
import type { PrepareRequest, ScheduledResult } from '../../../src/contract/schemas';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { startForgedRun } from '../../support/forged-run';
import { FILE_SINKS, startSystem, type Installation } from '../../support/installation';
import { end, endingOf, untilStep } from '../../support/runs';
import { runEvery, startScheduled } from '../../support/schedules';
import { sharedTemporal, untilClosedAreListed } from '../../support/temporal';
import { system } from './shared-system';

/** The results of the first runs of a schedule, at most ten. */
async function firstResults(schedule: ScheduleHandle, count: number): Promise<ScheduledResult[]> {
  const { client } = await sharedTemporal();
  const runs = await eventually(`${count} runs`, async () => {
    const { recentActions } = (await schedule.describe()).info;
    return recentActions.length >= count && recentActions.slice(0, count);
  });
  const ids = runs.map(({ action }) => action.workflow.workflowId);
  return Promise.all(
    ids.map((id) => client.workflow.getHandle(id).result() as Promise<ScheduledResult>),
  );
}

/** Runs `prepareOnSchedule` without the result of an earlier run, as an operator's trigger does. */
async function resultOnce(
  { taskQueue }: Installation,
  request: PrepareRequest,
): Promise<ScheduledResult> {
  return (await startScheduled(taskQueue, { request })).result();
}

it.concurrent(
  'a schedule skips while its run is undelivered, and pauses once that is cancelled',
  async () => {
    const { atlas, installation } = system();
    const request = installation.newRequest({ sink: 'rejects' });
    const schedule = await runEvery('1s', installation.taskQueue, { request, always: true });
    const run = installation.handleOf(request);
    await eventually('a run of the pair', () => run.describe().catch(() => null));
    await untilStep(run, 'undelivered');
    await eventually(
      'skips',
      async () => (await schedule.describe()).info.numActionsSkippedOverlap >= 2,
    );
    expect(atlas.created(request)).toBe(1);
    await run.cancel();
    await eventually('a pause', async () => (await schedule.describe()).state.paused);
  },
);

it.concurrent('a schedule creates no second token while the first is recent', async () => {
  const { atlas, installation } = system();
  const { client } = await sharedTemporal();
  const request = installation.newRequest();
  const { workflowId } = installation.handleOf(request);
  const other = await endingOf(await installation.start());
  // Receipts from the future, or of another workflow type, are no recent tokens.
  for (const [workflowType, createdAt] of [
    [WORKFLOW_TYPES.prepare, '2099-01-01T00:00:00.000Z'],
    ['other', new Date().toISOString()],
  ] as const) {
    const forged = await startForgedRun(client, workflowId, workflowType);
    await forged.complete({ ...other.receipt, createdAt });
  }
  await untilClosedAreListed(workflowId, 2);
  const [first, second] = await firstResults(
    await runEvery('1s', installation.taskQueue, { request }),
    2,
  );
  const lastTokenAt = first?.receipt?.createdAt;
  expect(first).toMatchObject({ outcome: 'prepared', lastTokenAt });
  const recentToken = { outcome: 'recentToken', lastTokenAt, receipt: null };
  expect(second).toEqual(recentToken);
  expect(await resultOnce(installation, request)).toEqual(recentToken);

  const open = await installation.start({ ...request, sink: 'rejects', again: true });
  await untilStep(open, 'undelivered');
  expect(await resultOnce(installation, request)).toEqual(recentToken);
  expect(atlas.created(request)).toBe(2);
});

it.concurrent(
  'a schedule creates no token while the source is linked, however old its token',
  async () => {
    const atlas = await startAtlas();
    const { sourceOrgId, sourcePublicKey, sourcePrivateKey } = atlas.account;
    const cloudManager = {
      type: 'cloudManager',
      baseUrl: atlas.url,
      allowHttp: true,
      sources: {
        [sourceOrgId]: {
          orgId: atlas.account.orgId,
          publicKey: { env: 'SOURCE_PUBLIC_KEY' },
          privateKey: { env: 'SOURCE_PRIVATE_KEY' },
        },
      },
      pollIntervalMs: 100,
    };
    const { installation } = await startSystem({
      atlas,
      env: { SOURCE_PUBLIC_KEY: sourcePublicKey, SOURCE_PRIVATE_KEY: sourcePrivateKey },
      config: {
        schedules: { minimumTokenAgeMs: 0 },
        sinks: { files: FILE_SINKS.files, cloudManager },
      },
    });
    const request = installation.newRequest({ sourceOrgId, sink: 'cloudManager' });
    const { receipt } = await endingOf(await installation.start(request));
    const schedule = await runEvery('1s', installation.taskQueue, { request });
    const alreadyLinked = {
      outcome: 'alreadyLinked',
      lastTokenAt: receipt?.createdAt,
      receipt: null,
    };
    expect(await firstResults(schedule, 3)).toEqual(Array(3).fill(alreadyLinked));
    // The file sink cannot know, but Atlas says that the source is linked.
    const other = installation.newRequest({ sink: 'files' });
    expect(await resultOnce(installation, other)).toEqual({ ...alreadyLinked, lastTokenAt: null });
    expect(atlas.createdTokens()).toHaveLength(1);

    // The link and its token are gone.
    atlas.reset();
    await eventually('another token', () => atlas.createdTokens().length === 1);
  },
);

it.concurrent('a schedule goes on beside the token of a terminated run', async () => {
  const { atlas, installation } = system();
  const request = installation.newRequest({ sink: 'rejects' });
  const run = await installation.start(request);
  await untilStep(run, 'undelivered');
  await end(run, 'terminate');
  await untilClosedAreListed(run.workflowId, 1);
  const result = await resultOnce(installation, { ...request, sink: 'files' });
  expect(result).toMatchObject({ outcome: 'prepared' });
  expect(atlas.created(request)).toBe(2);
});
