import { defaultPayloadConverter } from '@temporalio/common';
import { printRequests } from '../../../../src/commands/list/print-requests';
import { workflowIdFor } from '../../../../src/contract/workflow-id';
import { aRequest } from '../../samples';
import { clientOf, listedRun } from '../../temporal/scripted-server';
import { contextWith } from '../runs/context';

it('the newest listed run of a pair has the request that is printed', async () => {
  const execution = (runId: string) => ({
    execution: { workflowId: workflowIdFor(aRequest()), runId },
  });
  const client = clientOf({
    // Newest first, as Temporal lists them.
    list: () => ({ executions: ['newer', 'older'].map((id) => listedRun(id, execution(id))) }),
    readHistory({ execution: { runId } }) {
      const payloads = [defaultPayloadConverter.toPayload(aRequest({ sink: `sink-${runId}` }))];
      const event = { workflowExecutionStartedEventAttributes: { input: { payloads } } };
      return { history: { events: [event] } };
    },
  });
  const context = contextWith(client);
  await printRequests(context, { terminated: true, requests: true });
  expect(context.printed.map((line) => JSON.parse(line) as object)).toMatchObject([
    { sink: 'sink-newer' },
  ]);
});
