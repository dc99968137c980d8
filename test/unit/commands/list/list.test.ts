import { defaultPayloadConverter } from '@temporalio/common';
import { list } from '../../../../src/commands/list/list';
import { STATUS, clientOf, grpcError, listedRun } from '../../temporal/scripted-server';
import { contextWith } from '../runs/context';

/** Lists two terminated runs; the read of the first one's history fails. */
function listWith(error: Error) {
  const context = contextWith(
    clientOf({
      list: () => ({ executions: [listedRun('odd'), listedRun('plain')] }),
      readHistory({ execution: { runId } }) {
        if (runId === 'odd') throw error;
        return {};
      },
    }),
  );
  return { listing: list(context, { recoverable: true }), printed: context.printed };
}

it('list says why a run cannot be read, and goes on', async () => {
  const { listing, printed } = listWith(new TypeError('Cannot convert object to primitive value'));
  await listing;
  expect(printed.join('')).toMatch(
    /pair +cannot be read: Cannot convert object to primitive value\n1 run\n/,
  );
});

it('a call that Temporal rejects ends the list', async () => {
  const denied = grpcError(7, 'denied');
  await expect(listWith(denied).listing).rejects.toBe(denied);
});

it('a task queue without a worker is asked only a few times', async () => {
  const asked = { up: 0, down: 0 };
  const toPayload = (value: unknown) => defaultPayloadConverter.toPayload(value);
  const runs = Array.from({ length: 120 }, (_, index) => {
    const taskQueue = index % 3 === 0 ? 'up' : 'down';
    const memo = { fields: { step: toPayload('undelivered') } };
    return listedRun(taskQueue, { taskQueue, memo, status: STATUS.running });
  });
  const client = clientOf({
    list: () => ({ executions: runs }),
    query({ execution: { runId } }) {
      asked[runId as 'up' | 'down'] += 1;
      if (runId === 'down') throw grpcError(4, 'query timed out before a worker could process it');
      return { queryResult: { payloads: [toPayload({})] } };
    },
  });
  const context = contextWith(client);
  await list(context, { undelivered: true });
  expect(context.printed.join('')).toContain('120 runs\n');
  expect(asked.up).toBe(40);
  // Ten without a response, and as many under way meanwhile.
  expect(asked.down).toBeLessThan(20);
});
