import type { Client } from '@temporalio/client';
import { WORKFLOW_TYPES, workflowIdFor } from '../../../src/contract/names';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { WITH_BLOCKED_SINK, blockSink } from '../../support/blocked-sink';
import type { Handle } from '../../support/deployment';
import { endingOf } from '../../support/ending';
import { sharedTemporal, startSetting, untilListed, type Setting } from '../../support/setting';

let setting: Setting;
let client: Client;

beforeAll(async () => {
  setting = await startSetting({ config: WITH_BLOCKED_SINK });
  blockSink(setting.deployment);
  ({ client } = await sharedTemporal());
});

/** The default policies of a Temporal client: no conflict policy, no reuse policy. */
async function start(request: PrepareRequest): Promise<Handle> {
  return (await client.workflow.start(WORKFLOW_TYPES.prepare, {
    workflowId: workflowIdFor(request.orgId, request.sourceOrgId),
    taskQueue: setting.deployment.taskQueue,
    args: [request],
  })) as Handle;
}

async function run(request: PrepareRequest) {
  const handle = await start(request);
  return { handle, runId: (await handle.describe()).runId, ending: await endingOf(handle) };
}

const newRequest = (more?: Partial<PrepareRequest>) => setting.deployment.newRequest(more);
const postsOf = ({ sourceOrgId }: PrepareRequest) => sourceOrgId && setting.atlas.posts().length;

async function untilClosedAreListed(request: PrepareRequest, runs: number): Promise<void> {
  const workflowId = workflowIdFor(request.orgId, request.sourceOrgId);
  await untilListed(`WorkflowId = '${workflowId}' AND CloseTime IS NOT NULL`, runs);
}

describe('a start with the default policies of a client', () => {
  it('is refused with TokenExists and the receipt after a delivery, and creates another token with again', async () => {
    const request = newRequest();
    const first = await run(request);
    expect(first.ending.type).toBe('delivered');
    await untilClosedAreListed(request, 1);
    const before = postsOf(request);

    const { ending } = await run({ ...request, sink: 'blocked', accessListIps: [] });
    const { receipt } = first.ending;
    expect(ending.details).toEqual({
      state: 'delivered',
      runId: first.runId,
      receipt,
      deliveryId: receipt?.deliveryId,
      unconfirmedTokens: 0,
    });
    expect(ending.type).toBe('TokenExists');
    expect(ending.message).toMatch(/differs in sink, accessListIps\. .*start --org .* --again/);
    expect(postsOf(request)).toBe(before);

    expect((await run({ ...request, again: true })).ending.type).toBe('delivered');
  });
});
