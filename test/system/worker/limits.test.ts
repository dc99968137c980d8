import { freePort } from '../../../dev/temporal/free-port';
import { eventually } from '../../support/eventually';
import { startInstallation } from '../../support/installation';
import { endingOf, redeliver } from '../../support/runs';
import { scrape, untilScraped, valueOf } from '../../support/scrape';
import { setUp } from '../../support/set-up';

const EVICTIONS = 'temporal_sticky_cache_total_forced_eviction_total';

const limited = setUp(async () => {
  const port = await freePort();
  const worker = { maxActivitiesPerSecond: 3, maxCachedWorkflows: 3 };
  return { port, ...(await startInstallation({ config: { metrics: { port }, worker } })) };
});

it('worker.maxActivitiesPerSecond limits the activities of all runs, eagerly dispatched ones included', async () => {
  const { deployment } = limited();

  const startedAt = Date.now();
  const handles = await Promise.all(Array.from({ length: 8 }, () => deployment.start()));
  const endings = await Promise.all(handles.map(endingOf));

  expect(endings.map(({ type }) => type)).toEqual(Array(8).fill('delivered'));
  // 16 activities: the first three at once, the others at three a second.
  expect(Date.now() - startedAt).toBeGreaterThan(4000);
});

it('worker.maxCachedWorkflows limits the open runs in memory, and the others go on, too', async () => {
  const { deployment, port, worker } = limited();
  const delivered = deployment.tokenFiles().length;
  const evictions = valueOf(await scrape(port), EVICTIONS) ?? 0;
  const requests = Array.from({ length: 8 }, () => deployment.newRequest({ sink: 'rejects' }));
  const handles = await Promise.all(requests.map((request) => deployment.start(request)));
  // A Query would replay each run that is not in memory.
  await eventually('undelivered runs', () => worker.logged('link-token not delivered').length === 8);

  const inMemory = await untilScraped(port, EVICTIONS, {}, evictions + 5);
  expect(valueOf(inMemory, 'temporal_sticky_cache_size')).toBeLessThanOrEqual(3);
  await Promise.all(handles.map((handle) => redeliver(handle, { sink: 'files' })));
  expect(deployment.tokenFiles()).toHaveLength(delivered + 8);
});
