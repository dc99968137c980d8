import type { NativeConnection, Worker } from '@temporalio/worker';
import { GRPC } from '../../../src/temporal/grpc';
import { createReadiness, readinessSources, type ReadinessSources } from '../../../src/worker/readiness';

const POLLING: ReturnType<ReadinessSources['status']> = {
  runState: 'RUNNING',
  workflowPollerState: 'POLLING',
  activityPollerState: 'POLLING',
};

const status = (change: Partial<typeof POLLING>) => ({ status: () => ({ ...POLLING, ...change }) });
const polled = (poll: string | null | undefined) => ({ latestPoll: () => Promise.resolve(poll) });
const failing = () => Promise.reject(new Error('CANARY'));

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** A worker whose polls last a minute, probed every ten seconds; from `cutAt` on no poll reaches the server. */
function startProbes(cutAt = Infinity) {
  const createdMs = performance.now();
  const seconds = () => Math.round((performance.now() - createdMs) / 1000);
  const scene = { cutAt, probeUntil };
  const latestPoll = () => Promise.resolve(`poll ${Math.floor(Math.min(seconds(), scene.cutAt) / 60)}`);
  const ready = createReadiness({ status: () => POLLING, latestPoll });

  /** The first problem until that second, and when it showed. */
  async function probeUntil(end: number): Promise<[problem: string, at: number] | null> {
    while (seconds() <= end) {
      const problem = await ready();
      if (problem !== null) return [problem, seconds()];
      jest.advanceTimersByTime(10_000);
    }
    return null;
  }
  return scene;
}

describe('a worker', () => {
  it('is ready for as long as it polls', async () => {
    expect(await startProbes().probeUntil(3600)).toBeNull();
  });

  it.each([60, 70, 90, 119])('is not ready once the polls that were cut at %i s are due', async (cutAt) => {
    const problem = 'Temporal has received no poll from this worker for 80 s';
    expect(await startProbes(cutAt).probeUntil(3600)).toEqual([problem, 60 + 80]);
  });

  it('is ready again once it polls again', async () => {
    const scene = startProbes(100);
    expect(await scene.probeUntil(3600)).not.toBeNull();
    scene.cutAt = Infinity;
    expect(await scene.probeUntil(3600)).toBeNull();
  });

  it.each<[what: string, change: Partial<ReadinessSources>, problem: string | null]>([
    ['not ready before its first poll', polled(null), 'Temporal has received no poll from this worker'],
    ['ready where the server does not say who polls', polled(undefined), null],
    ['not ready while it drains', status({ runState: 'DRAINING' }), 'the worker is DRAINING'],
    [
      'not ready without workflows',
      status({ workflowPollerState: 'FAILED' }),
      'the workflow poller is FAILED',
    ],
    [
      'not ready without activities',
      status({ activityPollerState: 'FAILED' }),
      'the activity poller is FAILED',
    ],
    ['not ready when Temporal does not respond', { latestPoll: failing }, 'Temporal does not respond'],
  ])('is %s', async (_what, change, problem) => {
    const ready = createReadiness({ ...status({}), ...polled('1'), ...change });
    expect(await ready()).toBe(problem);
  });
});

describe('the latest poll of a worker', () => {
  const queue = { namespace: 'default', taskQueue: 'prep' };
  const poll = (identity: string, seconds: number) => ({
    identity,
    lastAccessTime: { seconds, nanos: 5 },
  });

  /** As Temporal responds, which says who polls, or fails. */
  function sourcesFor(response: object[] | Error) {
    const describeTaskQueue = jest.fn(() =>
      response instanceof Error ? Promise.reject(response) : Promise.resolve({ pollers: response }),
    );
    const connection = {
      workflowService: { describeTaskQueue },
      withDeadline: (_deadline: number, call: () => Promise<unknown>) => call(),
    } as unknown as NativeConnection;
    const worker = { options: { identity: 'me' } } as unknown as Worker;
    return { describeTaskQueue, ...readinessSources(worker, connection, queue) };
  }
  const latestPoll = (response: object[] | Error) => sourcesFor(response).latestPoll();
  const grpcError = (code: number) => Object.assign(new Error(), { code, details: '', metadata: {} });

  it.each<[what: string, response: object[] | Error, found: string | null | undefined]>([
    ['is its own', [poll('other', 9), poll('me', 7)], '7.5'],
    ['is not there when only others poll', [poll('other', 9)], null],
    ['is not there without a time', [{ identity: 'me' }], null],
    ['is unknown to who may not ask', grpcError(GRPC.permissionDenied), undefined],
    ['is unknown to a server that cannot say', grpcError(GRPC.unimplemented), undefined],
  ])('%s', async (_what, response, found) => {
    expect(await latestPoll(response)).toBe(found);
  });

  it('is an error while Temporal does not respond', async () => {
    await expect(latestPoll(grpcError(GRPC.unavailable))).rejects.toMatchObject({ code: GRPC.unavailable });
  });

  it('is looked for once a second, however many ask', async () => {
    const { latestPoll: look, describeTaskQueue } = sourcesFor([poll('me', 7)]);
    expect(await Promise.all([look(), look()])).toEqual(['7.5', '7.5']);
    jest.advanceTimersByTime(1000);
    await look();
    expect(describeTaskQueue).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(1);
    await look();
    expect(describeTaskQueue).toHaveBeenCalledTimes(2);
  });
});
