import type { Client } from '@temporalio/client';
import { ok, warning } from '../../../src/doctor/check-result';
import { checkTaskQueue, isDefective } from '../../../src/doctor/temporal-checks';
import { polledAgo } from '../commands/shared/context';

it('doctor warns of a server whose release has the security defect of Update-with-Start', () => {
  const repaired = ['1.27.4', '1.28.2', '1.29.2', '1.29.7', '1.30.0', '2.1.0', ''];
  const defective = ['1.26.2', '1.27.3', '1.28.1', '1.29.1'];
  expect([...repaired, ...defective].filter(isDefective)).toEqual(defective);
});

const GONE = expect.stringContaining('no worker polls task queue prep (the last poll was at 2');

it.each([
  ['that polled a minute ago counts as present', [80_000, 60_000], ok('a worker polls it')],
  ['that last polled 80 s ago counts as gone', [80_000], warning(GONE)],
])('a worker %s', async (_when, agesMs, result) => {
  const describeTaskQueue = () => Promise.resolve({ pollers: agesMs.flatMap(polledAgo) });
  const client = { workflowService: { describeTaskQueue }, options: { namespace: 'default' } };
  expect(await checkTaskQueue(client as unknown as Client, 'prep')).toEqual(result);
});
