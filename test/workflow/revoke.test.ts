import { revocationIdFor } from '../../src/contract/workflow-id';
import { WORKFLOW_TYPES, type RevokeLinkToken } from '../../src/contract/workflows';
import { endingOf } from '../support/runs';
import { sharedTemporal } from '../support/temporal';
import { worker } from './shared-worker';

it.concurrent(
  'a receipt is enough to revoke its token, and a repetition is the same run',
  async () => {
    const { handle } = await worker().start();
    const { receipt } = await endingOf(handle);
    const { client } = await sharedTemporal();
    const { orgId, publicApiKey } = receipt ?? {};
    const token = { orgId: String(orgId), publicApiKey: String(publicApiKey) };
    const start = () =>
      client.workflow.start<RevokeLinkToken>(WORKFLOW_TYPES.revoke, {
        workflowId: revocationIdFor(token),
        taskQueue: worker().installation.taskQueue,
        args: [receipt as never],
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
      });
    const run = await start();
    expect(await run.result()).toMatchObject({ ...token, outcome: 'deleted' });
    await expect(start()).rejects.toThrow(/already started/);
  },
);
