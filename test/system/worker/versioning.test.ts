import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { devServerEnv } from '../../../dev/temporal/dev-server-env';
import { EXIT_CODES } from '../../../src/commands/cli/command-error';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { credentialEnv, startAtlas } from '../../support/atlas';
import { eventually } from '../../support/eventually';
import { fetchOnce } from '../../support/fetch-once';
import { newOrgId } from '../../support/ids';
import { install } from '../../support/installation';
import { run, startCommand } from '../../support/run-command';
import { endingOf, redeliver } from '../../support/runs';
import { sharedTemporal } from '../../support/temporal';
import type { WorkerProcess } from '../../support/worker-process';

const RUNS = 5;

it(`${RUNS} open runs survive a first version, an upgrade and a rollback`, async () => {
  const { address, client } = await sharedTemporal();
  const atlas = await startAtlas();
  const sinks = { files: { type: 'file', directory: 'nas' } };
  const retries = { initialIntervalMs: 500, maximumIntervalMs: 500, roundMs: 1000 };
  const installation = await install({ atlas, config: { sinks, retries } });
  const { taskQueue } = installation;
  // Temporal's Worker Controller makes such a name from the Kubernetes namespace and the resource.
  const deploymentName = `kubernetes/${taskQueue}`;
  const env = {
    ...devServerEnv(address),
    MONGODB_ATLAS_BASE_URL: atlas.url,
    ...credentialEnv(atlas.account),
  };

  const untilDoctorSays = (finding: string) =>
    eventually(`doctor says ${finding}`, async () =>
      (await run(['doctor', '--config', installation.configFile], env)).stdout.includes(finding),
    );

  /** Starts a worker whose gate fails, once it is ready: until then, a rollout would hang. */
  async function startVersion(buildId: string): Promise<WorkerProcess> {
    const version = { TEMPORAL_DEPLOYMENT_NAME: deploymentName, TEMPORAL_WORKER_BUILD_ID: buildId };
    const worker = await installation.startWorker(version);
    await eventually('ready', async () => (await fetchOnce(`${worker.healthUrl()}/readyz`)).ok);
    // Temporal's Worker Controller starts its gate with these options.
    const options = {
      taskQueue,
      versioningOverride: { pinnedTo: { deploymentName, buildId } },
    };
    const gate = await eventually(`version ${buildId} is known`, () =>
      client.workflow
        .start(WORKFLOW_TYPES.checkWorker, { workflowId: `gate-${newOrgId()}`, ...options })
        .catch(() => null),
    );
    await expect(gate.result()).rejects.toMatchObject({
      cause: {
        type: 'WorkerCheckFailed',
        message: expect.stringMatching(/^sink files: the directory /),
      },
    });
    return worker;
  }

  const makeCurrent = (buildId: string) =>
    eventually(`version ${buildId} is current`, () =>
      client.workflowService
        .setWorkerDeploymentCurrentVersion({ namespace: 'default', deploymentName, buildId })
        .catch(() => null),
    );

  /** Resolves once a round of delivery has failed on this worker for each of the runs. */
  const untilEachTried = (worker: WorkerProcess) =>
    eventually('a round of each run', () => {
      const tokens = worker.logged('link-token not delivered').map(({ deliveryId }) => deliveryId);
      return new Set(tokens).size === RUNS;
    });

  const nas = path.join(installation.folder, 'nas');
  writeFileSync(nas, 'not a directory');
  let worker = await startVersion('1.0');
  const command =
    'temporal worker deployment set-current-version --namespace default' +
    ` --deployment-name ${deploymentName} --build-id 1.0`;
  const said = `this worker gets work once its version is current; to make it so: ${command}`;
  expect(worker.logged(said)).toHaveLength(1);
  expect(worker.logged('worker starts')).toMatchObject([
    { deployment: { name: deploymentName, buildId: '1.0' } },
  ]);

  const notCurrent =
    `the tasks of task queue ${taskQueue} go to unversioned workers, and none polls it;` +
    ` to give them to workers of version 1.0 of ${deploymentName}, which poll it: ${command}\n`;
  await untilDoctorSays(`warning   task queue ${taskQueue}: ${notCurrent}`);
  const first = installation.newRequest();
  const { orgId, sourceOrgId } = first;
  const target = ['--org', orgId, '--source-org', sourceOrgId ?? ''];
  const startOptions = [...target, '--no-access-list', '--sink', 'files', '--wait'];
  const start = startCommand(['--task-queue', taskQueue, 'start', ...startOptions], env);
  await eventually('the reason', () => start.output().includes(`note: ${notCurrent}`));

  await makeCurrent('1.0');
  await untilDoctorSays(`ok        task queue ${taskQueue}: a worker polls it\n`);
  expect(await start.exited).toMatchObject({ code: EXIT_CODES.undelivered });
  const others = Array.from({ length: RUNS - 1 }, () => installation.start());
  const handles = [installation.handleOf(first), ...(await Promise.all(others))];
  await untilEachTried(worker);
  for (const buildId of ['2.0', '1.0']) {
    const next = await startVersion(buildId);
    await makeCurrent(buildId);
    await worker.stop();
    await untilEachTried(next);
    worker = next;
  }

  rmSync(nas);
  mkdirSync(nas);
  await Promise.all(handles.map((handle) => redeliver(handle)));
  const endings = await Promise.all(handles.map(endingOf));
  expect(endings).toMatchObject(Array(RUNS).fill({ type: 'delivered', unconfirmedTokens: 0 }));
  expect(atlas.createdTokens()).toHaveLength(RUNS);
});
