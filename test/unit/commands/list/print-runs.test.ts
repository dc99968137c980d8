import { defaultPayloadConverter } from '@temporalio/common';
import { printRuns } from '../../../../src/commands/list/print-runs';
import { ORG } from '../../samples';
import { STATUS, clientOf, grpcError, listedRun, timestamp } from '../../temporal/scripted-server';
import { contextWith } from '../runs/context';

/** Lists two terminated runs with details; the read of the first one's history fails. */
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
  return { listing: printRuns(context, { details: true }), printed: context.printed };
}

it('list says why a run cannot be read, and goes on', async () => {
  const { listing, printed } = listWith(new TypeError('Cannot convert object to primitive value'));
  await listing;
  expect(printed.join('')).toMatch(
    /pair +cannot be read: Cannot convert object to primitive value\n[^]*2 runs\n/,
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

it('an undelivered run is listed with its failure and its next attempt, by its memo alone', async () => {
  const toPayload = (value: unknown) => defaultPayloadConverter.toPayload(value);
  const fields = {
    step: toPayload('undelivered'),
    sink: toPayload('drop'),
    failure: toPayload({ type: 'SinkRejected', message: 'it is full' }),
    nextAttemptAt: toPayload('2090-11-29T12:00:00.000Z'),
  };
  const readHistory = jest.fn<object, []>();
  const executions = [listedRun('run', { memo: { fields }, status: STATUS.running })];
  const context = contextWith(clientOf({ list: () => ({ executions }), readHistory }));
  await printRuns(context, { undelivered: true });
  expect(context.printed[1]).toMatch(
    /undelivered +\S+ +for sink drop; SinkRejected; next attempt at 2090-11-29T12:00:00.000Z\n/,
  );
  expect(readHistory).not.toHaveBeenCalled();
});

it('list prints ages and pairs, and the task queues of others', async () => {
  const startedAgo = (ms: number, taskQueue: string) =>
    listedRun('run', {
      execution: { workflowId: `live-migration-prep/${ORG}`, runId: 'run' },
      startTime: timestamp(Date.now() - ms),
      taskQueue,
    });
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
      `5s ago    terminated   ${ORG}`,
      `3h ago    terminated   ${ORG.padEnd(49)}  on task queue b`,
      `2d ago    terminated   ${ORG}`,
      '3 runs',
      'note: the list may lag, and loses closed runs after the retention period',
      '',
    ].join('\n'),
  );
});
