import type { NativeConnection, Worker, WorkerStatus } from '@temporalio/worker';
import { findReadinessProblem } from '../../../src/worker/health';

const POLLING = { runState: 'RUNNING', workflowPollerState: 'POLLING', activityPollerState: 'POLLING' };

const responds = () => Promise.resolve({});
const fails = () => Promise.reject(new Error('CANARY'));

it.each<[what: string, status: Partial<WorkerStatus>, call: () => Promise<object>, problem: string | null]>([
  ['ready while it polls and Temporal responds', {}, responds, null],
  ['not ready while it drains', { runState: 'DRAINING' }, responds, 'the worker is DRAINING'],
  [
    'not ready without workflows',
    { workflowPollerState: 'FAILED' },
    responds,
    'the workflow poller is FAILED',
  ],
  [
    'not ready without activities',
    { activityPollerState: 'FAILED' },
    responds,
    'the activity poller is FAILED',
  ],
  ['not ready when Temporal does not respond', {}, fails, 'Temporal does not respond'],
])('a worker is %s', async (_what, status, getSystemInfo, problem) => {
  const worker = { getStatus: () => ({ ...POLLING, ...status }) } as Pick<Worker, 'getStatus'>;
  const connection = {
    workflowService: { getSystemInfo },
    withDeadline: (_deadline: number, call: () => Promise<unknown>) => call(),
  } as unknown as NativeConnection;
  expect(await findReadinessProblem(worker, connection)).toBe(problem);
});
