import { eventually } from '../../support/eventually';
import { codeBlocks, page, sectionBelow } from '../../support/markdown';
import { runEvery } from '../../support/schedules';
import { createShell } from '../../support/shell';

it('the command of docs/runbook.md unpauses the schedules that a failed run paused, and no other', async () => {
  const { deployment, sh, temporal } = await createShell();
  const [unpause = ''] = codeBlocks(sectionBelow(page('docs/runbook.md'), 'A schedule is paused'), 'sh');
  const request = deployment.newRequest();
  const failing = await runEvery('1s', deployment.taskQueue, { request: { ...request, sink: 'nowhere' } });
  const held = await runEvery('1000s', deployment.taskQueue, { request });
  await held.pause('wave 3 waits');
  await eventually('a listed pause', async () => {
    for await (const { scheduleId } of temporal.schedule.list({ query: 'TemporalSchedulePaused = true' })) {
      if (scheduleId === failing.scheduleId) return true;
    }
    return false;
  });

  await sh(unpause);

  // It fails again.
  await eventually('another run', async () => (await failing.describe()).info.numActionsTaken === 2);
  expect((await held.describe()).state.paused).toBe(true);
});
