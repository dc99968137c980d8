import { freePort } from '../../../dev/temporal/free-port';
import { eventually } from '../../support/eventually';
import { startInstallation } from '../../support/installation';
import { endingOf, redeliver } from '../../support/runs';
import { untilScraped, valueOf } from '../../support/scrape';

it('worker.maxActivitiesPerSecond limits the activities of all runs, eagerly dispatched ones included', async () => {
  const { deployment } = await startInstallation({ config: { worker: { maxActivitiesPerSecond: 2 } } });

  const startedAt = Date.now();
  const handles = await Promise.all(Array.from({ length: 6 }, () => deployment.start()));
  const endings = await Promise.all(handles.map(endingOf));

  expect(endings.map(({ type }) => type)).toEqual(Array(6).fill('delivered'));
  // 12 activities: the first two at once, the others at two a second.
  expect(Date.now() - startedAt).toBeGreaterThan(4000);
});

it('worker.maxCachedWorkflows limits the open runs in memory, and the others go on, too', async () => {
  const port = await freePort();
  const { deployment, worker } = await startInstallation({
    config: { metrics: { port }, worker: { maxCachedWorkflows: 3 } },
  });
  const requests = Array.from({ length: 8 }, () => deployment.newRequest({ sink: 'rejects' }));
  const handles = await Promise.all(requests.map((request) => deployment.start(request)));
  // A Query would replay each run that is not in memory.
  await eventually('undelivered runs', () => worker.logged('link-token not delivered').length === 8);

  const inMemory = await untilScraped(port, 'temporal_sticky_cache_total_forced_eviction_total', {}, 5);
  expect(valueOf(inMemory, 'temporal_sticky_cache_size')).toBeLessThanOrEqual(3);
  await Promise.all(handles.map((handle) => redeliver(handle, { sink: 'files' })));
  expect(deployment.tokenFiles()).toHaveLength(8);
});
