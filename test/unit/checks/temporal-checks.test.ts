import type { Client } from '@temporalio/client';
import { optionalDateToTs } from '@temporalio/common/lib/time';
import type { CheckResult } from '../../../src/checks/check-result';
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
  ['1.32.0-rc.1', false],
  ['2.1.0', false],
  ['', false],
])('doctor warns of server %j: %s', (version, warns) => {
  expect(isDefective(version)).toBe(warns);
});

/** Checks a task queue whose workers polled so long ago. */
function checkPolled(agesMs: number[], expiresMs?: number): Promise<CheckResult> {
  const describeTaskQueue = () =>
    Promise.resolve({
      pollers: agesMs.map((ageMs) => ({ lastAccessTime: optionalDateToTs(new Date(Date.now() - ageMs)) })),
    });
  const client = { workflowService: { describeTaskQueue }, options: { namespace: 'default' } };
  return checkTaskQueue(client as unknown as Client, 'prep', expiresMs === undefined ? {} : { expiresMs });
}

describe('a task queue', () => {
  it.each<[polledBy: string, agesMs: number[], expiresMs: number | undefined]>([
    ['a worker', [0], undefined],
    ['a worker beside one that is gone', [80_000, 60_000], undefined],
    ['a worker that is listed, by a clock that may be wrong', [80_000], Infinity],
  ])('polled by %s is ok', async (_polledBy, agesMs, expiresMs) => {
    expect(await checkPolled(agesMs, expiresMs)).toMatchObject({ state: 'ok' });
  });

  it.each<[polledBy: string, agesMs: number[], expiresMs: number | undefined, last: string]>([
    ['no worker', [], undefined, ''],
    ['no worker that is listed', [], Infinity, ''],
    ['a worker that is gone', [80_000], undefined, ' \\(the last poll was at 2\\S+Z\\)'],
  ])('polled by %s gets a warning that says what to do', async (_polledBy, agesMs, expiresMs, last) => {
    const { state, message } = await checkPolled(agesMs, expiresMs);
    expect(state).toBe('warning');
    expect(message).toMatch(
      new RegExp(
        `^no worker polls task queue prep${last}: start one, or correct the name; a run stays on the task queue on which it was started$`,
      ),
    );
  });
});
