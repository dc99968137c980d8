import { list } from '../../../../src/commands/list/list';
import { clientOf, grpcError, listedRun } from '../../temporal/scripted-server';
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
