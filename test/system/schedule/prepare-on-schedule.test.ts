import type { ScheduleHandle } from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { PrepareRequest, ScheduledRequest, ScheduledResult } from '../../../src/contract/schemas';
import type { TestAtlas } from '../../support/atlas';
import type { Deployment, Handle } from '../../support/deployment';
import { endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { newAddress } from '../../support/ids';
import { sharedTemporal, startInstallation } from '../../support/installation';
import { runEvery } from '../../support/schedules';
import { redeliver, startAndAwait, untilStep } from '../../support/updates';

let atlas: TestAtlas;
let deployment: Deployment;

beforeAll(async () => {
  ({ atlas, deployment } = await startInstallation());
});

const newRequest = (sink: string) => deployment.newRequest({ sink, accessListIps: [newAddress()] });

/** It creates a token each time, whether or not one is in use. */
const createSchedule = (request: PrepareRequest) =>
  runEvery('2s', deployment.taskQueue, { request, always: true });

/** The result of the n-th run that a schedule started. */
async function resultOf(schedule: ScheduleHandle, n: number): Promise<ScheduledResult> {
  const { client } = await sharedTemporal();
  const { workflowId } = await eventually(`run ${n} of the schedule`, async () => {
    const { recentActions } = (await schedule.describe()).info;
    return recentActions[n - 1]?.action.workflow;
  });
  return client.workflow
    .getHandle<(input: ScheduledRequest) => Promise<ScheduledResult>>(workflowId)
    .result();
}

/** The run of the pair, once a schedule has started it, and another run than the given one. */
async function untilUndelivered(request: PrepareRequest, otherThan?: string): Promise<Handle> {
  const handle = deployment.handleOf(request);
  await eventually('a run of the pair', async () => {
    const run = await handle.describe().catch(() => null);
    return run?.status.name === 'RUNNING' && run.runId !== otherThan;
  });
  await untilStep(handle, 'undelivered');
  return handle;
}

describe('prepareOnSchedule', () => {
  it.concurrent(
    'every 2 s against a sink that rejects, and starts on demand: one token until it is redelivered; a cancel pauses',
    async () => {
      const request = newRequest('rejects');
      const schedule = await createSchedule(request);
      const first = await untilUndelivered(request);
      const { runId } = await first.describe();
      await expect(deployment.start(request)).rejects.toThrow(WorkflowExecutionAlreadyStartedError);
      expect(await startAndAwait(deployment, request)).toMatchObject({ type: 'SinkRejected' });
      await eventually('skipped runs', async () => {
        return (await schedule.describe()).info.numActionsSkippedOverlap >= 2;
      });
      expect(atlas.created(request)).toBe(1);

      const { receipt } = await redeliver(first, { sink: 'files' });
      expect(await resultOf(schedule, 1)).toEqual({
        outcome: 'prepared',
        lastTokenAt: receipt?.createdAt,
        receipt,
      });

      const second = await untilUndelivered(request, runId);
      await second.cancel();
      expect(await endingOf(second)).toMatchObject({ type: 'Cancelled' });
      await eventually('a pause', async () => (await schedule.describe()).state.paused);
      expect(atlas.created(request)).toBe(2);
    },
  );

  it.concurrent(
    'while a run is open: alreadyRunning with the time of the last token, and that run goes on',
    async () => {
      const request = newRequest('files');
      const schedule = await createSchedule(request);
      await resultOf(schedule, 1);
      const open = await eventually('a start between two runs of the schedule', () =>
        deployment.start({ ...request, sink: 'rejects', again: true }).catch(() => null),
      );
      const results: ScheduledResult[] = [];
      while (results.length < 2 || results.at(-2)?.outcome !== 'alreadyRunning') {
        results.push(await resultOf(schedule, results.length + 1));
      }
      const receipt = results.filter(({ outcome }) => outcome === 'prepared').at(-1)?.receipt;
      const expected = { outcome: 'alreadyRunning', lastTokenAt: receipt?.createdAt, receipt: null };
      expect(results.slice(-2)).toEqual([expected, expected]);
      expect(await redeliver(open, { sink: 'files' })).toMatchObject({ type: 'delivered' });
    },
  );
});
