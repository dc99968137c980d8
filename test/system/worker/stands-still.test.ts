import { devServerEnv } from '../../../dev/temporal/dev-server-env';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { startAtlas } from '../../support/atlas';
import { cleanUpLater } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { startMismatchedRun } from '../../support/forged-run';
import { newOrgId } from '../../support/ids';
import { install } from '../../support/installation';
import { objectsIn, run, startCommand } from '../../support/run-command';
import { setUp } from '../../support/set-up';
import { sharedTemporal, untilListed } from '../../support/temporal';

const HOUR_MS = 3_600_000;
const UNDELIVERED = { step: 'undelivered', sink: 'files' };
const MISMATCH =
  '[TMPRL1100] Nondeterminism error: No command scheduled for event HistoryEvent(id: 5, TimerStarted)';

/** A worker, and two undelivered runs whose history does not fit its code. */
const fixture = setUp(async () => {
  const { address, client } = await sharedTemporal();
  const atlas = await startAtlas();
  const installation = await install({ atlas });
  const { taskQueue } = installation;
  const startMismatched = async (timerMs: number) => {
    const workflowId = workflowIdFor({ orgId: atlas.account.orgId, sourceOrgId: newOrgId() });
    const options = {
      workflowType: WORKFLOW_TYPES.prepare,
      workflowId,
      memo: UNDELIVERED,
      timerMs,
    };
    const handle = await startMismatchedRun(client, taskQueue, options);
    cleanUpLater(() => handle.terminate());
    return handle;
  };
  const idle = await startMismatched(HOUR_MS);
  const failing = await startMismatched(1);
  await installation.startWorker();
  return { installation, taskQueue, env: devServerEnv(address), idle, failing };
});

describe('of a run whose history does not fit the code of the worker', () => {
  const problems = () => [
    [fixture().idle.workflowId, `its worker cannot continue it: ${MISMATCH}`],
    [
      fixture().failing.workflowId,
      "workers do not complete its workflow task: the workers' log and the Temporal UI say why",
    ],
  ];

  it('list --undelivered says so', async () => {
    const { installation, taskQueue } = fixture();
    await untilListed(`TaskQueue = '${taskQueue}' AND ExecutionStatus = 'Running'`, 2);
    await eventually('the reasons', async () => {
      const runs = objectsIn(await installation.runClient('--json', 'list', '--undelivered'));
      const problemById = new Map(
        runs.map(({ workflowId, statusProblem }) => [workflowId, statusProblem]),
      );
      return problems().every(([id, problem]) => problemById.get(id) === problem);
    });
  });

  it('watch says that a workflow task fails, and gives the reason of an idle run', async () => {
    const { taskQueue, env, idle, failing } = fixture();
    const [[, ofIdle], [, ofFailing]] = problems() as [string[], string[]];
    const watch = startCommand(
      ['--task-queue', taskQueue, 'watch', '--workflow-id', failing.workflowId],
      env,
    );
    await eventually('the reason', () => watch.output().includes(`waiting (${ofFailing})\n`));
    watch.interrupt();
    await watch.exited;
    const exit = await run(['watch', '--workflow-id', idle.workflowId], env);
    expect(exit).toMatchObject({
      code: 5,
      stderr: expect.stringContaining(`undelivered: ${ofIdle}\n`),
    });
  });

  it('redeliver, with and without --all, sends nothing and says why', async () => {
    const { installation } = fixture();
    for (const [workflowId = '', problem = ''] of problems()) {
      const { code, stderr } = await installation.runClient(
        'redeliver',
        '--workflow-id',
        workflowId,
      );
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: expect.stringContaining(`can take no Update: ${problem}\n`),
      });
    }
    const all = await installation.runClient('--json', 'redeliver', '--all');
    expect(all.code).toBe(1);
    for (const [workflowId, problem] of problems()) {
      const reason = expect.stringContaining(
        `can take no Update: ${problem}; this command sent nothing`,
      );
      expect(objectsIn(all)).toContainEqual(
        expect.objectContaining({ workflowId, action: 'failed', reason }),
      );
    }
  });
});
