import type { NativeConnection, Worker, WorkerStatus } from '@temporalio/worker';
import { findReadinessProblem, startHealth } from '../../../src/worker/health';
import { closeLater } from '../../support/clean-up';

const ANY_PORT = { host: '127.0.0.1', port: 0 };
const ready = () => Promise.resolve(null);
const fails = () => Promise.reject(new TypeError('CANARY'));

const start = async (findProblem: () => Promise<string | null>, options = ANY_PORT) =>
  closeLater(await startHealth(options, findProblem));

async function get(url: string): Promise<[number, string]> {
  const response = await fetch(url);
  return [response.status, await response.text()];
}

describe('health', () => {
  it.each<[what: string, findProblem: () => Promise<string | null>, status: number, text: string]>([
    ['is ok while the worker can take work', ready, 200, 'ok'],
    [
      'is 503 with the reason while it cannot',
      () => Promise.resolve('it is DRAINING'),
      503,
      'it is DRAINING',
    ],
    ['is 503 when the check itself fails', fails, 503, 'cannot tell (TypeError)'],
  ])('readiness %s; liveness is ok in every case', async (_what, findProblem, status, text) => {
    const { url } = await start(findProblem);
    expect(await get(`${url}/readyz`)).toEqual([status, `${text}\n`]);
    expect(await get(`${url}/livez`)).toEqual([200, 'ok\n']);
    expect(await get(`${url}/health`)).toEqual([404, '']);
  });

  it('names the port that is taken, and the setting', async () => {
    const { url } = await start(ready);
    const port = Number(new URL(url).port);
    await expect(start(ready, { ...ANY_PORT, port })).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port} (EADDRINUSE): set health.port to a free port`,
    );
  });

  it('leaves its port free once it has closed', async () => {
    const health = await startHealth(ANY_PORT, ready);
    const port = Number(new URL(health.url).port);
    await health.close();
    await start(ready, { ...ANY_PORT, port });
  });
});

const POLLING = {
  runState: 'RUNNING',
  workflowPollerState: 'POLLING',
  activityPollerState: 'POLLING',
};
const responds = () => Promise.resolve({});

async function findProblem(status: Partial<WorkerStatus>, getSystemInfo: () => Promise<object>) {
  const worker = { getStatus: () => ({ ...POLLING, ...status }) } as Pick<Worker, 'getStatus'>;
  const connection = {
    workflowService: { getSystemInfo },
    withDeadline: (_deadline: number, call: () => Promise<unknown>) => call(),
  } as unknown as NativeConnection;
  return findReadinessProblem(worker, connection);
}

it('a worker that polls is ready while Temporal responds', async () => {
  expect(await findProblem({}, responds)).toBeNull();
});

it.each<[problem: string, status: Partial<WorkerStatus>, call: () => Promise<object>]>([
  ['the worker is DRAINING', { runState: 'DRAINING' }, responds],
  ['the workflow poller is FAILED', { workflowPollerState: 'FAILED' }, responds],
  ['the activity poller is FAILED', { activityPollerState: 'FAILED' }, responds],
  ['Temporal does not respond', {}, fails],
])('a worker is not ready: %s', async (problem, status, getSystemInfo) => {
  expect(await findProblem(status, getSystemInfo)).toBe(problem);
});
