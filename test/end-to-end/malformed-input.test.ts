import { WORKFLOW_TYPES } from '../../src/contract/names';
import { newOrgId } from '../support/ids';
import { endingOf } from '../support/ending';
import { deploy, sharedTemporal, startAtlas } from '../support/setting';
import type { TestAtlas } from '../support/atlas';
import type { Deployment } from '../support/deployment';

let atlas: TestAtlas;
let deployment: Deployment;

beforeAll(async () => {
  atlas = await startAtlas();
  deployment = await deploy({ atlas });
  await deployment.startWorker();
}, 60_000);

const INPUTS: [what: string, args: unknown[]][] = [
  ['nothing', []],
  ['null', [null]],
  ['a text', ['64f1c0ffee5eed0000000a71']],
  ['an empty object', [{}]],
];

describe.each(Object.values(WORKFLOW_TYPES))('%s, started from another language', (workflowType) => {
  it.each(INPUTS)('with %s ends with InvalidRequest that names the fields', async (_what, args) => {
    const { client } = await sharedTemporal();
    const handle = await client.workflow.start(workflowType, {
      workflowId: `malformed-${newOrgId()}`,
      taskQueue: deployment.taskQueue,
      args,
    });
    const { type, unconfirmedTokens, details } = await endingOf(handle);
    expect({ type, unconfirmedTokens }).toEqual({ type: 'InvalidRequest', unconfirmedTokens: 0 });
    expect(details?.fields).not.toHaveLength(0);
    expect(atlas.requests()).toHaveLength(0);
  });
});
