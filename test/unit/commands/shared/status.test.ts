import type { Client } from '@temporalio/client';
import { createStatusReader } from '../../../../src/commands/shared/status';

const STATUS = {
  step: 'undelivered',
  description: 'SinkRejected: no',
  unconfirmedTokens: 0,
  deliveryId: null,
  nextTryAt: null,
};

it.each<[which: string, asked: number, answers: number]>([
  ['none of five runs responds', 2, 0],
  ['the first of five runs responds', 5, 1],
])('if %s, a reader that gives up after two unanswered Queries sends %d', async (_which, asked, answers) => {
  let queries = 0;
  const query = () => Promise.resolve(queries++ < answers ? STATUS : null);
  const client = {
    connection: { withDeadline: (_: number, call: () => unknown) => call() },
    workflow: { getHandle: () => ({ query }) },
  } as unknown as Client;
  const read = createStatusReader(client, 2);
  const statuses: unknown[] = [];
  for (const runId of '12345') statuses.push(await read({ workflowId: 'w', runId }));
  expect(queries).toBe(asked);
  expect(statuses).toEqual(Array.from({ length: 5 }, (_, index) => (index < answers ? STATUS : null)));
});
