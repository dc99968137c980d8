import { createReadiness, type ReadinessSources } from '../../../src/worker/readiness';

const POLLING: ReturnType<ReadinessSources['status']> = {
  runState: 'RUNNING',
  workflowPollerState: 'POLLING',
  activityPollerState: 'POLLING',
};

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** A worker whose polls last a minute, probed every ten seconds. */
function startProbes() {
  const createdMs = performance.now();
  const seconds = () => Math.round((performance.now() - createdMs) / 1000);
  const scene = {
    /** From this second on no poll reaches the server. */
    cutAt: Infinity,
    /** The first problem until that second, and when it showed. */
    async probeUntil(end: number): Promise<{ problem: string; at: number } | null> {
      while (seconds() <= end) {
        const problem = await ready();
        if (problem !== null) return { problem, at: seconds() };
        jest.advanceTimersByTime(10_000);
      }
      return null;
    },
  };
  const ready = createReadiness({
    status: () => POLLING,
    latestPoll: () => Promise.resolve(`poll ${Math.floor(Math.min(seconds(), scene.cutAt) / 60)}`),
  });
  return scene;
}

describe('a worker', () => {
  it('is ready for as long as it polls', async () => {
    expect(await startProbes().probeUntil(3600)).toBeNull();
  });

  it.each([60, 70, 90, 119])('is not ready once the polls that were cut at %i s are due', async (cutAt) => {
    const scene = startProbes();
    scene.cutAt = cutAt;
    const found = await scene.probeUntil(3600);
    expect(found?.problem).toMatch(/^Temporal has received no poll of this worker for 80 s$/);
    expect(found?.at).toBe(60 + 80);
  });

  it('is ready again once it polls again', async () => {
    const scene = startProbes();
    scene.cutAt = 100;
    expect(await scene.probeUntil(3600)).not.toBeNull();
    scene.cutAt = Infinity;
    expect(await scene.probeUntil(3600)).toBeNull();
  });

  it.each<[what: string, poll: string | null | undefined, problem: string | null]>([
    ['is not ready before its first poll', null, 'Temporal has received no poll of this worker'],
    ['is ready where the server does not say who polls', undefined, null],
  ])('%s', async (_what, poll, problem) => {
    const ready = createReadiness({ status: () => POLLING, latestPoll: () => Promise.resolve(poll) });
    expect(await ready()).toBe(problem);
  });

  it.each<[Partial<typeof POLLING>, string]>([
    [{ runState: 'DRAINING' }, 'the worker is DRAINING'],
    [{ workflowPollerState: 'FAILED' }, 'the workflow poller is FAILED'],
    [{ activityPollerState: 'SHUTDOWN' }, 'the activity poller is SHUTDOWN'],
  ])('is not ready with %j', async (change, problem) => {
    const status = () => ({ ...POLLING, ...change });
    expect(await createReadiness({ status, latestPoll: () => Promise.resolve('1') })()).toBe(problem);
  });

  it('is not ready when Temporal does not respond', async () => {
    const latestPoll = () => Promise.reject(new Error('CANARY'));
    expect(await createReadiness({ status: () => POLLING, latestPoll })()).toBe('Temporal does not respond');
  });
});
