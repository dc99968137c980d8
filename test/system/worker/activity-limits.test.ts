import { endingOf } from '../../support/ending';
import { startSetting } from '../../support/setting';

it('worker.maxActivitiesPerSecond limits the activities of all runs, eagerly dispatched ones included', async () => {
  const { deployment } = await startSetting({ config: { worker: { maxActivitiesPerSecond: 2 } } });

  const startedAt = Date.now();
  const handles = await Promise.all(Array.from({ length: 6 }, () => deployment.start()));
  const endings = await Promise.all(handles.map(endingOf));

  expect(endings.map(({ type }) => type)).toEqual(Array(6).fill('delivered'));
  // 12 activities: the first two at once, the others at two a second.
  expect(Date.now() - startedAt).toBeGreaterThan(4000);
});
