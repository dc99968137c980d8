import { GRPC } from '../../../src/temporal/grpc';
import { listRuns, type RunInfo } from '../../../src/temporal/list-runs';
import { clientOf, grpcError, listedRun, type ListRequest } from './scripted-server';

const RUN_IDS = Array.from({ length: 120 }, (_, n) => String(n));

/** Serves pages of runs, and records the size of each. */
function serve() {
  const sizes: number[] = [];
  const client = clientOf({
    list({ pageSize, nextPageToken }: ListRequest) {
      sizes.push(pageSize);
      const from = Number(Buffer.from(nextPageToken).toString());
      const to = from + pageSize;
      const executions = RUN_IDS.slice(from, to).map((id) => listedRun(id));
      return to < RUN_IDS.length
        ? { executions, nextPageToken: Buffer.from(String(to)) }
        : { executions };
    },
  });
  return { client, sizes };
}

async function readIds(runs: AsyncIterable<RunInfo>): Promise<string[]> {
  const ids: string[] = [];
  for await (const { runId } of runs) ids.push(runId);
  return ids;
}

it('runs are listed in pages of 50', async () => {
  const { client, sizes } = serve();
  expect(await readIds(listRuns(client, 'prep'))).toEqual(RUN_IDS);
  expect(sizes).toEqual([50, 50, 50]);
});

it('a list that Temporal refuses fails with the error of its API', async () => {
  const refusal = grpcError(GRPC.permissionDenied, 'Request unauthorized.');
  const client = clientOf({
    list() {
      throw refusal;
    },
  });
  await expect(readIds(listRuns(client, 'prep'))).rejects.toBe(refusal);
});
