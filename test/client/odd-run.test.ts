import { WORKFLOW_TYPES, workflowIdFor } from '../../src/contract/names';
import { newOrgId } from '../support/ids';
import { deploy, sharedTemporal, startAtlas } from '../support/setting';

it.each([
  ['nothing', []],
  ['null', [null]],
])(
  'start goes on after a run of the same id that another caller started with %s',
  async (_what, args) => {
    const atlas = await startAtlas();
    const deployment = await deploy({ atlas });
    await deployment.startWorker();
    const { client } = await sharedTemporal();
    const { orgId } = atlas.account;
    const sourceOrgId = newOrgId();
    const odd = await client.workflow.start(WORKFLOW_TYPES.prepare, {
      workflowId: workflowIdFor(orgId, sourceOrgId),
      taskQueue: deployment.taskQueue,
      args,
    });
    await expect(odd.result()).rejects.toThrow();

    const target = ['--org', orgId, '--source-org', sourceOrgId];
    const { code, stderr } = await deployment.runClient('start', ...target, '--sink', 'files', '--wait');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(deployment.tokenFiles()).toHaveLength(1);
  },
  60_000,
);
