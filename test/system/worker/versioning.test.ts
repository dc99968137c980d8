import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { WORKER_CHECK_FAILED, WORKFLOW_TYPES } from '../../../src/contract/names';
import { startAtlas, type TestAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { deploy, type Deployment, type Handle } from '../../support/installation';
import { endingOf, untilStep } from '../../support/runs';
import { sharedTemporal } from '../../support/temporal';
import type { WorkerProcess } from '../../support/worker-process';

let atlas: TestAtlas;

beforeAll(async () => {
  atlas = await startAtlas();
});

/** A deployment whose sink rejects tokens until it is repaired, and that tries again soon. */
async function deployVersioned(): Promise<Deployment & { nas: string }> {
  const deployment = await deploy({
    atlas,
    config: {
      sinks: { files: { type: 'file', directory: 'nas' } },
      retries: {
        deliver: {
          initialIntervalMs: 20,
          maximumIntervalMs: 100,
          roundMs: 1000,
          firstPauseMs: 2000,
          maximumPauseMs: 2000,
        },
      },
    },
  });
  const nas = path.join(deployment.folder, 'nas');
  writeFileSync(nas, 'not a directory');
  return { ...deployment, nas };
}

function repair({ nas }: { nas: string }): void {
  rmSync(nas);
  mkdirSync(nas);
}

/** A deployment name as Temporal's Worker Controller makes it: by the Kubernetes namespace and the resource. */
const nameOf = ({ taskQueue }: Deployment) => `kubernetes/${taskQueue}`;

function startVersion(
  deployment: Deployment,
  buildId: string,
  env: Record<string, string> = {},
): Promise<WorkerProcess> {
  return deployment.startWorker({
    TEMPORAL_DEPLOYMENT_NAME: nameOf(deployment),
    TEMPORAL_WORKER_BUILD_ID: buildId,
    ...env,
  });
}

/** Makes a version current as soon as the server knows it. */
async function makeCurrent(deployment: Deployment, buildId: string): Promise<void> {
  const { client } = await sharedTemporal();
  await eventually(`version ${buildId} is current`, () =>
    client.workflowService
      .setWorkerDeploymentCurrentVersion({
        namespace: 'default',
        deploymentName: nameOf(deployment),
        buildId,
      })
      .catch(() => null),
  );
}

async function untilReady(worker: WorkerProcess): Promise<void> {
  await eventually('ready', async () => (await fetch(`${worker.healthUrl()}/readyz`)).status === 200);
}

async function undelivered(deployment: Deployment): Promise<Handle> {
  const handle = await deployment.start();
  await untilStep(handle, 'undelivered');
  return handle;
}

describe('a versioned worker', () => {
  let deployment: Awaited<ReturnType<typeof deployVersioned>>;
  beforeAll(async () => {
    deployment = await deployVersioned();
  });

  it('says at start how its version becomes current; is ready before that, or a rollout would never reach it', async () => {
    const worker = await startVersion(deployment, '1.0');
    const command = `temporal worker deployment set-current-version --namespace default --deployment-name ${nameOf(deployment)} --build-id 1.0`;
    expect(
      worker.logged(`this worker gets work once its version is current; to make it so: ${command}`),
    ).toHaveLength(1);
    expect(worker.logged('worker starts')).toMatchObject([
      { deployment: { name: nameOf(deployment), buildId: '1.0' } },
    ]);
    await untilReady(worker);

    await makeCurrent(deployment, '1.0');
    await undelivered(deployment);
  });

  it('passes the gate of a rollout, checkWorker on its version, unless its credential is wrong', async () => {
    repair(deployment);
    const { taskQueue } = deployment;
    const wrong = { MONGODB_ATLAS_CLIENT_SECRET: 'mdb_sa_sk_wrong' };
    await untilReady(await startVersion(deployment, '2.0', wrong));
    const { client } = await sharedTemporal();
    const gate = (buildId: string): Promise<Handle> =>
      eventually('a known version', () =>
        client.workflow
          .start(WORKFLOW_TYPES.checkWorker, {
            workflowId: `gate-${taskQueue}-${buildId}`,
            taskQueue,
            versioningOverride: { pinnedTo: { deploymentName: nameOf(deployment), buildId } },
          })
          .catch(() => null),
      );
    await (await gate('1.0')).result();
    expect(await endingOf(await gate('2.0'))).toMatchObject({
      type: WORKER_CHECK_FAILED,
      message: expect.stringMatching(/credential default: Atlas returned 401/),
    });
  });

  it('goes on with 10 open runs after an upgrade and after a rollback, and creates nothing twice', async () => {
    const deployment = await deployVersioned();
    const old = await startVersion(deployment, '1.0');
    await makeCurrent(deployment, '1.0');
    const before = atlas.createdTokens().length;
    const handles = await Promise.all(Array.from({ length: 10 }, () => undelivered(deployment)));

    const upgraded = await startVersion(deployment, '2.0');
    await makeCurrent(deployment, '2.0');
    await untilReady(upgraded);
    await old.stop();
    await untilEachTried(upgraded);

    const rolledBack = await startVersion(deployment, '1.0');
    await makeCurrent(deployment, '1.0');
    await upgraded.stop();
    await untilEachTried(rolledBack);

    repair(deployment);
    const endings = await Promise.all(handles.map(endingOf));
    expect(endings).toMatchObject(Array(10).fill({ type: 'delivered', unconfirmedTokens: 0 }));
    expect(atlas.createdTokens().length - before).toBe(10);
  });
});

/** A round of delivery has failed on this worker for each of the 10 runs. */
async function untilEachTried(worker: WorkerProcess): Promise<void> {
  await eventually('a round of each run', () => {
    const tokens = worker.logged('link-token not delivered').map(({ deliveryId }) => deliveryId);
    return new Set(tokens).size === 10;
  });
}
