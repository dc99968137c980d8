import type { Client } from '@temporalio/client';
import { optionalDateToTs } from '@temporalio/common/lib/time';
import { whyNoWorker } from '../../../../src/commands/runs/missing-worker';

const EXPIRED_MS = 80_000;

/**
 * The problem of a task queue whose workers polled that long ago. That a worker's last poll was long ago takes a server
 * more than a minute.
 */
function problemOf(agesMs: number[], clockAheadMs?: number): Promise<string | null> {
  const describeTaskQueue = () =>
    Promise.resolve({
      pollers: agesMs.map((ageMs) => ({ lastAccessTime: optionalDateToTs(new Date(Date.now() - ageMs)) })),
    });
  const client = { workflowService: { describeTaskQueue }, options: { namespace: 'default' } };
  return whyNoWorker(client as unknown as Client, 'prep', clockAheadMs);
}

const NO_WORKER = 'no worker polls task queue prep: start one; what was started there stays on it';
const GONE = /^no worker polls task queue prep \(the last poll was at 2\S+Z\): start one; /;

it.each<[what: string, agesMs: number[], problem: RegExp | string | null]>([
  ['a worker', [0], null],
  ['a worker beside one that is gone', [EXPIRED_MS, 0], null],
  ['no worker', [], NO_WORKER],
  ['a worker that is gone', [EXPIRED_MS], GONE],
])('of %s it says what to do', async (_what, agesMs, problem) => {
  const described = await problemOf(agesMs);
  if (problem instanceof RegExp) expect(described).toMatch(problem);
  else expect(described).toBe(problem);
});

it("takes the server's time where it is known", async () => {
  expect(await problemOf([EXPIRED_MS], EXPIRED_MS)).toBeNull();
});

it('takes every worker that the server lists where its time is not known', async () => {
  expect(await problemOf([EXPIRED_MS], Infinity)).toBeNull();
  expect(await problemOf([], Infinity)).toBe(NO_WORKER);
});
