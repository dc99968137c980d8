import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { WORKER_CHECK_FAILED, WORKFLOW_TYPES } from '../../../src/contract/names';
import { startAtlas, type TestAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { deploy, type Deployment, type Handle } from '../../support/installation';
import { endingOf } from '../../support/runs';
import { sharedTemporal } from '../../support/temporal';
import type { WorkerProcess } from '../../support/worker-process';

const RUNS = 10;

let atlas: TestAtlas;
let deployment: Deployment;
/** A deployment name as Temporal's Worker Controller makes it: by the Kubernetes namespace and the resource. */
let deploymentName: string;
/** The directory of the sink. */
let nas: string;

beforeAll(async () => {
  atlas = await startAtlas();
  const soon = { initialIntervalMs: 20, maximumIntervalMs: 100, roundMs: 1000 };
  const deliver = { ...soon, firstPauseMs: 2000, maximumPauseMs: 2000 };
  const sinks = { files: { type: 'file', directory: 'nas' } };
  deployment = await deploy({ atlas, config: { sinks, retries: { deliver } } });
  deploymentName = `kubernetes/${deployment.taskQueue}`;
  nas = path.join(deployment.folder, 'nas');
});

/** Starts a worker of a version, and waits until it is ready: before the version is current, or a rollout would hang. */
async function startVersion(buildId: string, env: Record<string, string> = {}): Promise<WorkerProcess> {
  const version = { TEMPORAL_DEPLOYMENT_NAME: deploymentName, TEMPORAL_WORKER_BUILD_ID: buildId };
  const worker = await deployment.startWorker({ ...version, ...env });
  await eventually('ready', async () => (await fetch(`${worker.healthUrl()}/readyz`)).status === 200);
  return worker;
}

/** Makes a version current as soon as the server knows it. */
async function makeCurrent(buildId: string): Promise<void> {
  const { client } = await sharedTemporal();
  await eventually(`version ${buildId} is current`, () =>
    client.workflowService
      .setWorkerDeploymentCurrentVersion({ namespace: 'default', deploymentName, buildId })
      .catch(() => null),
  );
}

/** A round of delivery has failed on this worker for each of the runs. */
async function untilEachTried(worker: WorkerProcess): Promise<void> {
  await eventually('a round of each run', () => {
    const tokens = worker.logged('link-token not delivered').map(({ deliveryId }) => deliveryId);
    return new Set(tokens).size === RUNS;
  });
}

it(`a versioned worker says how its version becomes current; ${RUNS} open runs survive upgrade and rollback`, async () => {
  writeFileSync(nas, 'not a directory');
  const old = await startVersion('1.0');
  const command = `temporal worker deployment set-current-version --namespace default --deployment-name ${deploymentName} --build-id 1.0`;
  const said = `this worker gets work once its version is current; to make it so: ${command}`;
  expect(old.logged(said)).toHaveLength(1);
  expect(old.logged('worker starts')).toMatchObject([
    { deployment: { name: deploymentName, buildId: '1.0' } },
  ]);
  await makeCurrent('1.0');
  const handles = await Promise.all(Array.from({ length: RUNS }, () => deployment.start()));
  await untilEachTried(old);

  const upgraded = await startVersion('2.0');
  await makeCurrent('2.0');
  await old.stop();
  await untilEachTried(upgraded);

  const rolledBack = await startVersion('1.0');
  await makeCurrent('1.0');
  await upgraded.stop();
  await untilEachTried(rolledBack);

  rmSync(nas);
  mkdirSync(nas);
  const endings = await Promise.all(handles.map(endingOf));
  expect(endings).toMatchObject(Array(RUNS).fill({ type: 'delivered', unconfirmedTokens: 0 }));
  expect(atlas.createdTokens()).toHaveLength(RUNS);
});

it('a version passes the gate of a rollout, checkWorker on it, unless its credential is wrong', async () => {
  const { client } = await sharedTemporal();
  const { taskQueue } = deployment;
  mkdirSync(nas, { recursive: true });
  await startVersion('3.0');
  await startVersion('4.0', { MONGODB_ATLAS_CLIENT_SECRET: 'mdb_sa_sk_wrong' });
  const gate = (buildId: string): Promise<Handle> =>
    eventually('a known version', () =>
      client.workflow
        .start(WORKFLOW_TYPES.checkWorker, {
          workflowId: `gate-${taskQueue}-${buildId}`,
          taskQueue,
          versioningOverride: { pinnedTo: { deploymentName, buildId } },
        })
        .catch(() => null),
    );
  await (await gate('3.0')).result();
  expect(await endingOf(await gate('4.0'))).toMatchObject({
    type: WORKER_CHECK_FAILED,
    message: expect.stringMatching(/credential default: Atlas returned 401/),
  });
});
