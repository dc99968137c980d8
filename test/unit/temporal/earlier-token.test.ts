import { findEarlierToken } from '../../../src/temporal/earlier-token';
import { STATUS, clientOf, grpcError, listedRun } from './scripted-server';

/** Status code of gRPC. */
const NOT_FOUND = 5;

it('the list is asked for one delivered run', async () => {
  const queries: string[] = [];
  const client = clientOf({
    list({ query, pageSize }) {
      queries.push(`${pageSize}: ${query}`);
      return { executions: [] };
    },
  });
  expect(await findEarlierToken(client, 'live-migration-prep/pair')).toBeNull();
  expect(queries).toEqual([
    '1: WorkflowId = "live-migration-prep/pair" AND WorkflowType = "prepareLiveMigration"' +
      " AND ExecutionStatus = 'Completed'",
  ]);
});

it('the id of a run that is not known permits no other token', async () => {
  const client = clientOf({
    list: () => ({ executions: [listedRun('run', { status: STATUS.completed })] }),
    describe: () => Promise.reject(grpcError(NOT_FOUND, 'no such run')),
  });
  const token = await findEarlierToken(client, 'live-migration-prep/pair', {
    permitted: 'unknown',
  });
  expect(token).toMatchObject({ runId: 'run' });
});
