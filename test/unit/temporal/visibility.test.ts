import type { Client } from '@temporalio/client';
import { GRPC } from '../../../src/temporal/grpc';
import { listRuns } from '../../../src/temporal/visibility';
import { clientOf, grpcError, listedRun, type ListRequest } from './scripted-server';

jest.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
}));
beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const RUNS = 1500;

/** Serves pages of many runs, unless `refuse` throws. */
function serve(refuse: (request: ListRequest, calls: number) => void) {
  const sizes: number[] = [];
  const client = clientOf({
    list(request) {
      sizes.push(request.pageSize);
      refuse(request, sizes.length);
      const from = Number(Buffer.from(request.nextPageToken).toString());
      const to = Math.min(RUNS, from + request.pageSize);
      const executions = Array.from({ length: to - from }, (_, n) => listedRun(String(from + n)));
      return { executions, ...(to < RUNS && { nextPageToken: Buffer.from(String(to)) }) };
    },
  });
  return { client, sizes };
}

async function listAll(client: Client): Promise<string[]> {
  const ids: string[] = [];
  for await (const { runId } of listRuns(client, 'prep')) ids.push(runId);
  return ids;
}

const ALL = Array.from({ length: RUNS }, (_, n) => String(n));

it.each([
  ['grpc-js', 8, '8 RESOURCE_EXHAUSTED: Received message larger than max (149270820 vs 134217728)'],
  ['Core', 8, 'Error decompressing: size limit, of 134217728 bytes, exceeded while decompressing message'],
  ['Core without compression', 11, 'Error, decoded message length too large: found 149270820 bytes'],
])('a page that is too large for %s is read again in pages of 50, five a second', async (_of, code, message) => {
  const { client, sizes } = serve(({ pageSize, nextPageToken }) => {
    if (pageSize > 50 && nextPageToken.length === 0) throw grpcError(code, message);
  });
  const startedAtMs = Date.now();
  const listed = listAll(client).then((ids) => ({ ids, tookMs: Date.now() - startedAtMs }));
  await jest.runAllTimersAsync();
  const { ids, tookMs } = await listed;
  expect(ids).toEqual(ALL);
  expect(sizes).toEqual([1000, ...Array<number>(RUNS / 50).fill(50)]);
  expect(tookMs).toBeGreaterThanOrEqual(29 * 200);
});

it('a rate limit delays a list and does not end it', async () => {
  const { client, sizes } = serve((_request, calls) => {
    if (calls < 20) throw grpcError(GRPC.resourceExhausted, 'namespace rate limit exceeded');
  });
  const listed = listAll(client);
  await jest.runAllTimersAsync();
  expect(await listed).toEqual(ALL);
  expect(sizes).toHaveLength(21);
});
