import { devServerEnv } from '../../../dev/temporal/dev-server-env';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { startAtlas } from '../../support/atlas';
import { cleanUpLater } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { startMismatchedRun } from '../../support/forged-run';
import { newOrgId } from '../../support/ids';
import { install } from '../../support/installation';
import { objectsIn, startCommand } from '../../support/run-command';
import { setUp } from '../../support/set-up';
import { sharedTemporal, untilListed } from '../../support/temporal';

const UNDELIVERED = { step: 'undelivered', sink: 'files' };
const TASK_FAILS =
  "workers do not complete its workflow task: the workers' log and the Temporal UI say why";

/** A worker, and an undelivered run whose history does not fit its code. */
const fixture = setUp(async () => {
  const { address, client } = await sharedTemporal();
  const atlas = await startAtlas();
  const installation = await install({ atlas });
  const { taskQueue } = installation;
  const workflowId = workflowIdFor({ orgId: atlas.account.orgId, sourceOrgId: newOrgId() });
  const options = {
    workflowType: WORKFLOW_TYPES.prepare,
    workflowId,
    memo: UNDELIVERED,
    timerMs: 1,
  };
  const failing = await startMismatchedRun(client, taskQueue, options);
  cleanUpLater(() => failing.terminate());
  await installation.startWorker();
  return { installation, taskQueue, env: devServerEnv(address), workflowId };
});

describe('of a run whose history does not fit the code of the worker', () => {
  it('watch says that its workflow task fails', async () => {
    const { taskQueue, env, workflowId } = fixture();
    const watch = startCommand(['--task-queue', taskQueue, 'watch', workflowId], env);
    await eventually('the reason', () => watch.output().includes(`waiting (${TASK_FAILS})\n`));
    watch.interrupt();
    await watch.exited;
  });

  it('redeliver, with and without --all, sends nothing and says why', async () => {
    const { installation, taskQueue, workflowId } = fixture();
    const { code, stderr } = await installation.runClient('redeliver', workflowId);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining(`can take no Update: ${TASK_FAILS}\n`),
    });
    await untilListed(`TaskQueue = '${taskQueue}' AND ExecutionStatus = 'Running'`, 1);
    const all = await installation.runClient('--json', 'redeliver', '--all');
    expect(all.code).toBe(1);
    const reason = expect.stringContaining(
      `can take no Update: ${TASK_FAILS}; this command sent nothing`,
    );
    expect(objectsIn(all)).toContainEqual(
      expect.objectContaining({ workflowId, action: 'failed', reason }),
    );
  });
});
