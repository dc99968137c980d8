import { defaultPayloadConverter } from '@temporalio/common';
import { printRuns } from '../../../../src/commands/list/print-runs';
import { ORG } from '../../samples';
import { STATUS, clientOf, grpcError, listedRun, timestamp } from '../../temporal/scripted-server';
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
  return { listing: printRuns(context, { abandoned: true }), printed: context.printed };
}

it('list says why a run cannot be read, and goes on', async () => {
  const { listing, printed } = listWith(new TypeError('Cannot convert object to primitive value'));
  await listing;
  expect(printed.join('')).toMatch(
    /pair +cannot be read: Cannot convert object to primitive value\n1 run\n/,
  );
});

it('a list since a moment still has the runs of one organization only', async () => {
  const queries: string[] = [];
  const client = clientOf({
    list({ query }) {
      queries.push(query);
      return { executions: [] };
    },
  });
  const since = new Date('2026-11-29T10:00:00Z');
  await printRuns(contextWith(client), { org: ORG, since });
  const [type, ofOrg, ...sinceThen] = String(queries[0]).split(' AND ');
  expect([type, ofOrg]).toEqual([expect.stringContaining('prepare'), expect.stringContaining(ORG)]);
  const time = "'2026-11-29T10:00:00.000Z'";
  expect(sinceThen).toEqual([`(CloseTime IS NULL OR CloseTime >= ${time})`]);
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
  await printRuns(context, { undelivered: true });
  expect(context.printed.join('')).toContain('120 runs\n');
  expect(asked.up).toBe(40);
  // Ten without a response, and as many under way meanwhile.
  expect(asked.down).toBeLessThan(20);
});

it('list prints ages and pairs, and the task queues of others', async () => {
  const startedAgo = (ms: number, taskQueue: string) =>
    listedRun('run', { startTime: timestamp(Date.now() - ms), taskQueue });
  const runs = [
    startedAgo(5000, 'prep'),
    startedAgo(3 * 3_600_000, 'b'),
    startedAgo(50 * 3_600_000, 'prep'),
  ];
  const context = contextWith(clientOf({ list: () => ({ executions: runs }) }));
  await printRuns(context, {});
  expect(context.printed.join('')).toBe(
    [
      'STARTED   STATE        RUN',
      '5s ago    terminated   pair',
      `3h ago    terminated   ${'pair'.padEnd(49)}  on task queue b`,
      '2d ago    terminated   pair',
      '3 runs',
      'note: the list may lag, and loses closed runs after the retention period',
      '',
    ].join('\n'),
  );
});
