import { defaultPayloadConverter } from '@temporalio/common';
import { printRequests } from '../../../../src/commands/list/print-requests';
import { workflowIdFor } from '../../../../src/contract/workflow-id';
import { aRequest } from '../../samples';
import { clientOf, listedRun } from '../../temporal/scripted-server';
import { contextWith } from '../runs/context';

it('the newest run of a pair on the task queue has the request that is printed', async () => {
  const runOfPair = (runId: string, taskQueue = 'prep') =>
    listedRun(runId, { execution: { workflowId: workflowIdFor(aRequest()), runId }, taskQueue });
  const client = clientOf({
    // Newest first, as Temporal lists them.
    list: () => ({
      executions: [runOfPair('elsewhere', 'other'), runOfPair('newer'), runOfPair('older')],
    }),
    readHistory({ execution: { runId } }) {
      const payloads = [defaultPayloadConverter.toPayload(aRequest({ sink: `sink-${runId}` }))];
      const event = { workflowExecutionStartedEventAttributes: { input: { payloads } } };
      return { history: { events: [event] } };
    },
  });
  const { errors, ...context } = contextWith(client, { json: true });
  await printRequests(context, { terminated: true, requests: true });
  expect(context.printed.map((line) => JSON.parse(line) as object)).toMatchObject([
    { sink: 'sink-newer' },
  ]);
  expect(errors.join('')).toContain('left out 1 run on other task queues');
});
