import type { Client } from '@temporalio/client';
import { optionalDateToTs } from '@temporalio/common/lib/time';
import { ok, warning } from '../../../src/checks/check-result';
import { checkTaskQueue, isDefective } from '../../../src/checks/temporal-checks';

it('doctor warns of servers whose release has the defect', () => {
  const repaired = ['1.27.4', '1.28.2', '1.29.2', '1.29.7', '1.30.0', '2.1.0', ''];
  const defective = ['1.26.2', '1.27.3', '1.28.1', '1.29.1'];
  expect([...repaired, ...defective].filter(isDefective)).toEqual(defective);
});

const POLLED = ok('a worker polls it');
const noWorker = (text: string) => warning(expect.stringContaining(text));

it.each<[polledBy: string, agesMs: number[], options: { expiresMs?: number }, result: object]>([
  ['a worker beside one that is gone', [80_000, 60_000], {}, POLLED],
  ['a worker that is listed, by a clock that may be wrong', [80_000], { expiresMs: Infinity }, POLLED],
  [
    'no worker that is listed',
    [],
    { expiresMs: Infinity },
    noWorker('no worker polls task queue prep: start'),
  ],
  ['a worker that is gone', [80_000], {}, noWorker('task queue prep (the last poll was at 2')],
])('a task queue polled by %s', async (_polledBy, agesMs, options, result) => {
  const polledAt = (ageMs: number) => ({ lastAccessTime: optionalDateToTs(new Date(Date.now() - ageMs)) });
  const describeTaskQueue = () => Promise.resolve({ pollers: agesMs.map(polledAt) });
  const client = { workflowService: { describeTaskQueue }, options: { namespace: 'default' } };
  expect(await checkTaskQueue(client as unknown as Client, 'prep', options)).toEqual(result);
});
