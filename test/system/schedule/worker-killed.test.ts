import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { WORKFLOW_TYPES } from '../../../src/contract/names';
import type { PrepareRequest, Receipt } from '../../../src/contract/schemas';
import type { LinkState } from '../../../src/shared/activities';
import { FILE_SINKS } from '../../support/deployment';
import { eventually } from '../../support/eventually';
import { newAddress, newOrgId } from '../../support/ids';
import {
  deploy,
  sharedTemporal,
  startAtlas,
  startInstallation,
  type Installation,
} from '../../support/installation';
import { redeliver, untilStep } from '../../support/updates';

/** A worker for starts on demand; each test has another one, which it kills, for the schedule. */
let installation: Installation;

beforeAll(async () => {
  installation = await startInstallation();
});

/** Starts what a schedule starts. */
async function startScheduled(taskQueue: string, request: PrepareRequest) {
  const { client } = await sharedTemporal();
  const workflowId = `scheduled-${newOrgId()}`;
  return client.workflow.start(WORKFLOW_TYPES.prepareOnSchedule, {
    workflowId,
    taskQueue,
    args: [{ request }],
  });
}

/** Starts what a schedule starts, on a task queue of its own, and kills its worker while it checks the link. */
async function startAndKillDuringCheck(request: PrepareRequest) {
  const atlas = await startAtlas({ account: installation.atlas.account });
  atlas.faults({ on: 'availableProjects', delayMs: 60_000, times: 1 });
  const deployment = await deploy({ atlas, config: { sinks: FILE_SINKS } });
  const worker = await deployment.startWorker();
  const scheduled = await startScheduled(deployment.taskQueue, request);
  await eventually('the request', () => atlas.requestsOn('availableProjects').length > 0);
  await worker.kill();
  return { atlas, deployment, scheduled };
}

/** Delivers a token on demand, on the other worker. */
async function deliver(request: PrepareRequest): Promise<Receipt> {
  return (await installation.deployment.start(request)).result();
}

const newRequest = (more?: Partial<PrepareRequest>) =>
  installation.deployment.newRequest({ accessListIps: [newAddress()], ...more });

describe('a schedule and a start on demand create one token when the worker of the schedule is killed', () => {
  it('during the check of the link', async () => {
    const request = newRequest();
    const { atlas, deployment, scheduled } = await startAndKillDuringCheck(request);
    const { createdAt: lastTokenAt } = await deliver(request);
    await deployment.startWorker();
    expect(await scheduled.result()).toEqual({ outcome: 'recentToken', lastTokenAt, receipt: null });
    expect(atlas.created(request)).toBe(0);
  });

  it('after the check of the link', async () => {
    const { client } = await sharedTemporal();
    const request = newRequest();
    const { atlas, deployment, scheduled } = await startAndKillDuringCheck(request);
    const [check] = (await scheduled.describe()).raw.pendingActivities ?? [];
    const { workflowId } = scheduled;
    const state: LinkState = { linked: false, recentToken: false, lastTokenAt: null, tokenRunId: null };
    await client.activity.complete({ workflowId, activityId: String(check?.activityId) }, state);
    const { createdAt } = await deliver(request);
    await deployment.startWorker();
    expect(await scheduled.result()).toEqual({
      outcome: 'recentToken',
      lastTokenAt: createdAt,
      receipt: null,
    });
    expect(atlas.created(request)).toBe(0);
  });

  it('after the start of its run', async () => {
    const request = newRequest({ sink: 'rejects' });
    const { client } = await sharedTemporal();
    const { deployment } = installation;
    const scheduled = await startScheduled(deployment.taskQueue, request);
    const child = deployment.handleOf(request);
    await eventually('the run', () =>
      child.describe().then(
        () => true,
        () => false,
      ),
    );
    await untilStep(child, 'undelivered');
    await installation.worker.kill();
    await expect(deployment.start(request)).rejects.toThrow(WorkflowExecutionAlreadyStartedError);
    installation.worker = await deployment.startWorker();
    expect(await redeliver(child, { sink: 'files' })).toMatchObject({ type: 'delivered' });
    expect(await client.workflow.getHandle(scheduled.workflowId).result()).toMatchObject({
      outcome: 'prepared',
    });
    expect(installation.atlas.created(request)).toBe(1);
  });
});
