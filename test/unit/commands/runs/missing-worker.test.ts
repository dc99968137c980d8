import type { Client } from '@temporalio/client';
import { optionalDateToTs } from '@temporalio/common/lib/time';
import { lookForWorker } from '../../../../src/commands/runs/missing-worker';

/** The description of a task queue whose workers polled so long ago. */
function problemOf(agesMs: number[], expiresMs?: number): Promise<string | null> {
  const describeTaskQueue = () =>
    Promise.resolve({
      pollers: agesMs.map((ageMs) => ({ lastAccessTime: optionalDateToTs(new Date(Date.now() - ageMs)) })),
    });
  const client = { workflowService: { describeTaskQueue }, options: { namespace: 'default' } };
  return lookForWorker(client as unknown as Client, 'prep', expiresMs);
}

const REMEDY = ': start one, or correct the name; a run stays on the task queue on which it was started';

it.each<[what: string, agesMs: number[], expiresMs: number | undefined, problem: RegExp | null]>([
  ['a worker', [0], undefined, null],
  ['a worker beside one that is gone', [80_000, 60_000], undefined, null],
  ['no worker', [], undefined, /^no worker polls task queue prep: /],
  ['no worker that is listed', [], Infinity, /^no worker polls task queue prep: /],
  [
    'a worker that is gone',
    [80_000],
    undefined,
    /^no worker polls task queue prep \(the last poll was at 2\S+Z\): /,
  ],
  ['a worker that is listed', [80_000], Infinity, null],
])('of %s it says what to do', async (_what, agesMs, expiresMs, problem) => {
  const described = await problemOf(agesMs, expiresMs);
  if (problem === null) expect(described).toBeNull();
  else {
    expect(described).toMatch(problem);
    expect(described).toContain(REMEDY);
  }
});
