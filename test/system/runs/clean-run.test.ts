import { endingOf } from '../../support/ending';
import { eventually } from '../../support/eventually';
import { startSetting } from '../../support/setting';

it('a clean run costs 18 events, no heartbeat and no memo', async () => {
  const { atlas, deployment } = await startSetting();
  // Long enough to be described, and shorter than the time to the first heartbeat.
  atlas.faults({ on: 'linkTokens', delayMs: 1000 });
  const handle = await deployment.start();
  await eventually('a POST', () => atlas.posts().length === 1);
  const { raw } = await handle.describe();
  expect(raw.pendingActivities).toMatchObject([{ activityType: { name: 'createLinkToken' } }]);
  expect(raw.pendingActivities?.[0]?.lastHeartbeatTime ?? null).toBeNull();
  expect(raw.pendingActivities?.[0]?.heartbeatDetails ?? null).toBeNull();

  expect(await endingOf(handle)).toMatchObject({ type: 'delivered' });
  const { historyLength, memo } = await handle.describe();
  expect({ historyLength, memo }).toEqual({ historyLength: 18, memo: {} });
});
