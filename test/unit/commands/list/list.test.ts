import { list } from '../../../../src/commands/list/list';
import { findWindows } from '../../../../src/commands/list/unconfirmed-attempts';
import { clientOf, grpcError, listedRun } from '../../temporal/scripted-server';
import { contextWith } from '../shared/context';

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
  return { listed: list(context, { recoverable: true }), printed: context.printed };
}

it('a run that cannot be read is one line that says so, and the list goes on', async () => {
  const { listed, printed } = listWith(new TypeError('Cannot convert object to primitive value'));
  await listed;
  expect(printed.join('')).toMatch(/pair +cannot be read: Cannot convert object to primitive value\n1 run\n/);
});

it('a call that Temporal rejects ends the list', async () => {
  const denied = grpcError(7, 'denied');
  await expect(listWith(denied).listed).rejects.toBe(denied);
});

const START_MS = Date.parse('2026-11-25T09:00:00.500Z');
const at = (seconds: number) => new Date(START_MS + seconds * 1000).toISOString();
const secondsTo = (time: string) => (Date.parse(time) - START_MS + 500) / 1000;

it.each([
  ['100-101', '90-111'],
  ['100-101 122-123', '90-111 112-133'],
  ['121-123 100-101', '90-133'],
  ['100-200 110-120', '90-210'],
])('attempts in the seconds %s may have created keys in the seconds %s', (attempts, expected) => {
  const spans = attempts.split(' ').map((attempt) => {
    const [startedAt = '', endedAt = ''] = attempt.split('-').map((second) => at(Number(second)));
    return { startedAt, endedAt, reason: '' };
  });
  const { windows } = findWindows(spans, []);
  const seconds = windows.map(({ from, to }) => `${secondsTo(from)}-${secondsTo(to)}`);
  expect(seconds.join(' ')).toBe(expected);
  for (const { from, to, keyIdFrom, keyIdTo } of windows) {
    expect([keyIdFrom, keyIdTo].map((id) => parseInt(id, 16) * 1000)).toEqual([from, to].map(Date.parse));
  }
});

it('a received token counts as created in a window if its request overlaps with it', () => {
  const tokens = [70, 72, 119, 122].map((requested) => ({
    deliveryId: String(requested),
    requestedAt: at(requested),
    createdAt: at(requested + 1),
  }));
  const { received } = findWindows([{ startedAt: at(100), endedAt: at(101), reason: '' }], tokens);
  expect(received.map(({ deliveryId }) => deliveryId)).toEqual(['119']);
});
