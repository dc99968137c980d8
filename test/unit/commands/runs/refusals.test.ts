import { defaultPayloadConverter } from '@temporalio/common';
import { refuseIfDifferent } from '../../../../src/commands/runs/refusals';
import { workflowIdFor } from '../../../../src/contract/workflow-id';
import { ORG, aRequest } from '../../samples';
import { clientOf } from '../../temporal/scripted-server';

const workflowId = workflowIdFor({ orgId: ORG });

/** Reads the refusal of a request while a run of `aRequest()` is open. */
async function refusalOf(change: object): Promise<string[]> {
  const input = { payloads: [defaultPayloadConverter.toPayload(aRequest())] };
  const events = [{ workflowExecutionStartedEventAttributes: { input } }];
  const client = clientOf({ readHistory: () => ({ history: { events } }) });
  const refusal = refuseIfDifferent(client, { workflowId, runId: 'run' }, aRequest(change));
  const error: unknown = await refusal.catch((thrown: unknown) => thrown);
  return (error as { lines: string[] }).lines;
}

it('a start whose sink differs gets a redelivery that quotes the sink for the shell', async () => {
  expect(await refusalOf({ sink: 'drop; rm -r ~' })).toEqual([
    `DifferentRequest: ${workflowId} is open with a different request`,
    '  sink: "drop" in that run, "drop; rm -r ~" in yours',
    'wait for it to end, or cancel it',
    'to deliver its token to your sink:' +
      ` live-migration-prep redeliver ${ORG} --sink 'drop; rm -r ~'`,
  ]);
});

it('a start whose access list alone differs gets no redelivery', async () => {
  expect(await refusalOf({ accessListIps: [] })).toEqual([
    `DifferentRequest: ${workflowId} is open with a different request`,
    '  accessListIps: ["192.31.196.7"] in that run, [] in yours',
    'wait for it to end, or cancel it',
  ]);
});
