import { defaultPayloadConverter } from '@temporalio/common';
import { printRequests } from '../../../../src/commands/list/print-requests';
import { workflowIdFor } from '../../../../src/contract/workflow-id';
import { aRequest } from '../../samples';
import { clientOf, listedRun } from '../../temporal/scripted-server';
import { contextWith } from '../runs/context';

const runOfPair = (runId: string, taskQueue = 'prep') =>
  listedRun(runId, { execution: { workflowId: workflowIdFor(aRequest()), runId }, taskQueue });

/** Prints the requests of listed runs, the newest first, as Temporal lists them. */
async function printRequestsOf(
  runs: readonly ReturnType<typeof runOfPair>[],
  requestOf: (runId: string) => object,
) {
  const client = clientOf({
    list: () => ({ executions: [...runs] }),
    readHistory({ execution: { runId } }) {
      const payloads = [defaultPayloadConverter.toPayload(requestOf(runId))];
      const event = { workflowExecutionStartedEventAttributes: { input: { payloads } } };
      return { history: { events: [event] } };
    },
  });
  const context = contextWith(client, { json: true });
  await printRequests(context, { terminated: true, requests: true });
  const requests = context.printed.map((line) => JSON.parse(line) as object);
  return { requests, notes: context.errors.join('') };
}

it('the newest run of a pair on the task queue has the request that is printed', async () => {
  const runs = [runOfPair('elsewhere', 'other'), runOfPair('newer'), runOfPair('older')];
  const requestOf = (runId: string) => aRequest({ sink: `sink-${runId}` });
  const { requests, notes } = await printRequestsOf(runs, requestOf);
  expect(requests).toMatchObject([{ sink: 'sink-newer' }]);
  expect(notes).toContain('left out 1 run on other task queues');
});

const EARLIER = '5eed0000-0000-4000-8000-000000000001';

it.each<[again: true | string | undefined, printed: string | undefined]>([
  [EARLIER, EARLIER],
  // Each start would create one more token.
  [true, undefined],
  [undefined, undefined],
])('a request with again %s is printed with again %s', async (again, printed) => {
  const requestOf = () => aRequest({ ...(again !== undefined && { again }) });
  const { requests } = await printRequestsOf([runOfPair('failed')], requestOf);
  expect(requests).toEqual([printed === undefined ? aRequest() : aRequest({ again: printed })]);
});

it('a request with an again that is no id is left out, since start would refuse the file', async () => {
  const requestOf = () => aRequest({ again: 'yes' });
  const { requests, notes } = await printRequestsOf([runOfPair('failed')], requestOf);
  expect(requests).toEqual([]);
  expect(notes).toContain('left out 1 run: the request is not valid');
});
