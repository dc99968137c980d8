import type { Client } from '@temporalio/client';
import { optionalDateToTs } from '@temporalio/common/lib/time';
import { checkTaskQueue, isDefective } from '../../../src/checks/temporal-checks';

it.each([
  ['1.26.2', true],
  ['1.27.3', true],
  ['1.27.4', false],
  ['1.28.1', true],
  ['1.28.2', false],
  ['1.29.1', true],
  ['1.29.7', false],
  ['1.30.0', false],
  ['2.1.0', false],
  ['', false],
])('doctor warns of server %j: %s', (version, warns) => {
  expect(isDefective(version)).toBe(warns);
});

const NO_WORKER =
  /^no worker polls task queue prep: start one, or correct the name; a run stays on the task queue on /;
const GONE = /^no worker polls task queue prep \(the last poll was at 2\S+Z\): start one, /;

it.each<[polledBy: string, agesMs: number[], options: { expiresMs?: number }, warning: RegExp | null]>([
  ['a worker', [0], {}, null],
  ['a worker beside one that is gone', [80_000, 60_000], {}, null],
  ['a worker that is listed, by a clock that may be wrong', [80_000], { expiresMs: Infinity }, null],
  ['no worker', [], {}, NO_WORKER],
  ['no worker that is listed', [], { expiresMs: Infinity }, NO_WORKER],
  ['a worker that is gone', [80_000], {}, GONE],
])('a task queue polled by %s: a warning is %s', async (_polledBy, agesMs, options, warning) => {
  const polledAt = (ageMs: number) => ({ lastAccessTime: optionalDateToTs(new Date(Date.now() - ageMs)) });
  const describeTaskQueue = () => Promise.resolve({ pollers: agesMs.map(polledAt) });
  const client = { workflowService: { describeTaskQueue }, options: { namespace: 'default' } };
  expect(await checkTaskQueue(client as unknown as Client, 'prep', options)).toEqual(
    warning
      ? { state: 'warning', message: expect.stringMatching(warning) }
      : { state: 'ok', message: 'a worker polls it' },
  );
});
