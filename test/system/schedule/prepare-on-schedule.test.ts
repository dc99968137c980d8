import type { ScheduleHandle, WorkflowHandle } from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { WORKFLOW_TYPES } from '../../../src/contract/names';
import type { PrepareRequest, ScheduledRequest, ScheduledResult } from '../../../src/contract/schemas';
import { atOnce } from '../../support/at-once';
import type { TestAtlas } from '../../support/atlas';
import type { Deployment, Handle } from '../../support/deployment';
import { endingOf, type Ending } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { newAddress, newOrgId } from '../../support/ids';
import { sharedTemporal, startSetting } from '../../support/setting';
import { runEvery } from '../../support/schedules';
import { redeliver, startAndAwait, untilStep } from '../../support/updates';

let atlas: TestAtlas;
let deployment: Deployment;

beforeAll(async () => {
  ({ atlas, deployment } = await startSetting());
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

type Scheduled = WorkflowHandle<(input: ScheduledRequest) => Promise<ScheduledResult>>;

/** What a schedule starts, started by hand. */
async function startOnSchedule(...args: unknown[]): Promise<Scheduled> {
  const { client } = await sharedTemporal();
  return client.workflow.start(WORKFLOW_TYPES.prepareOnSchedule, {
    workflowId: `scheduled-${newOrgId()}`,
    taskQueue: deployment.taskQueue,
    args,
  }) as Promise<Scheduled>;
}

function endingOfScheduled(scheduled: Scheduled): Promise<Ending> {
  return endingOf(scheduled as unknown as Handle);
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
  atOnce({
    async 'every 2 s against a sink that rejects, and starts on demand: one token until it is redelivered; a cancel pauses'() {
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

    async 'while a run is open: alreadyRunning with the time of the last token, and that run goes on'() {
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

    async 'while the first run of the pair is open: alreadyRunning, which knows no token'() {
      const request = newRequest('rejects');
      await untilStep(await deployment.start(request), 'undelivered');
      const scheduled = await startOnSchedule({ request });
      expect(await scheduled.result()).toEqual({
        outcome: 'alreadyRunning',
        lastTokenAt: null,
        receipt: null,
      });
      expect(atlas.created(request)).toBe(1);
    },

    async 'cancelled: the run that it started ends Cancelled, and so does it, with the token that is left'() {
      const request = newRequest('rejects');
      const scheduled = await startOnSchedule({ request });
      const child = await untilUndelivered(request);
      await scheduled.cancel();
      const ending = await endingOf(child);
      expect(ending).toMatchObject({ type: 'Cancelled' });
      expect(await endingOfScheduled(scheduled)).toEqual(ending);
    },

    async 'whose run is terminated: Cancelled, with the command that recovers the token'() {
      const request = newRequest('rejects');
      const scheduled = await startOnSchedule({ request });
      const child = await untilUndelivered(request);
      const { runId } = await child.describe();
      await child.terminate();
      const { type, message } = await endingOfScheduled(scheduled);
      expect(type).toBe('Cancelled');
      expect(message).toBe(
        `the run that this schedule started was terminated; if it held a token: \`live-migration-prep recover --org ${request.orgId} --source-org ${request.sourceOrgId} --run-id ${runId}\``,
      );
    },

    async 'terminated: the run that it started stays open, and its token is delivered'() {
      const request = newRequest('rejects');
      const scheduled = await startOnSchedule({ request });
      const child = await untilUndelivered(request);
      await scheduled.terminate();
      expect(await redeliver(child, { sink: 'files' })).toMatchObject({ type: 'delivered' });
    },

    async 'with malformed input: InvalidRequest that names the field, and no token'() {
      const request = newRequest('files');
      const inputs: [args: unknown[], field: string][] = [
        [[], 'request.orgId'],
        [[null], 'request.orgId'],
        [['a request'], 'request.orgId'],
        [[[]], 'request.orgId'],
        [[{}], 'request.orgId'],
        [[{ request: null }], 'request.orgId'],
        [[{ request: {} }], 'request.orgId'],
        [[request], 'request.orgId'],
        [[{ request: { ...request, orgId: 'x' } }], 'request.orgId'],
        [[{ request: { ...request, sourceOrgId: '../x' } }], 'request.sourceOrgId'],
        [[{ request, always: 'yes' }], 'always'],
        [[{ request: { ...request, again: true } }], 'request.again'],
        [[{ request, alwys: true }], 'alwys'],
        [[{ request: { ...request, sink: 'nowhere' } }], 'sink'],
        [[{ request: { ...request, accessListIps: ['0.0.0.0/0'] } }], 'accessListIps[0]'],
      ];
      for (const [args, field] of inputs) {
        const { type, message, details } = await endingOfScheduled(await startOnSchedule(...args));
        const fields = details?.fields?.map((problem) => problem.field);
        expect({ type, fields }).toEqual({ type: 'InvalidRequest', fields: [field] });
        expect(message).toContain(`the request is not valid: ${field} `);
      }
      expect(atlas.created(request)).toBe(0);
    },
  });
});
