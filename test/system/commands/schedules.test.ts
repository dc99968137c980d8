import { startDevServer } from '../../../dev/temporal/dev-server';
import { devServerEnv } from '../../../dev/temporal/dev-server-env';
import { WORKFLOW_TYPES } from '../../../src/contract/workflows';
import { closeLater } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { run } from '../../support/run-command';
import { setUp } from '../../support/set-up';

/** The notes with which schedules are paused; null for one that is not paused. */
const NOTES = {
  runs: null,
  failed: 'paused due to workflow failure: example',
  held: 'wave 3 waits',
};

/** A server of its own: the commands change every schedule of a namespace. */
const fixture = setUp(async () => {
  const server = await startDevServer();
  const { address, client } = closeLater({ ...server, close: () => server.stop() });
  for (const [scheduleId, note] of Object.entries(NOTES)) {
    await client.schedule.create({
      scheduleId,
      spec: { calendars: [{ year: 2099 }] },
      action: {
        type: 'startWorkflow',
        workflowType: WORKFLOW_TYPES.prepareOnSchedule,
        taskQueue: 'nobody',
      },
      state: { paused: note !== null, ...(note !== null && { note }) },
    });
  }

  /** Waits until Temporal lists which schedules are paused. */
  async function untilPaused(...expected: string[]): Promise<void> {
    await eventually(`paused: ${expected.join()}`, async () => {
      const paused: string[] = [];
      for await (const { scheduleId, state } of client.schedule.list()) {
        if (state.paused) paused.push(scheduleId);
      }
      return paused.sort().join() === expected.join();
    });
  }
  const command = (...args: string[]) => run(['schedule', ...args], devServerEnv(address));
  return { command, untilPaused };
});

it('schedule pause pauses what is not paused, and unpause finds it by its reason', async () => {
  const { command, untilPaused } = fixture();
  await untilPaused('failed', 'held');
  const done = (stdout: string, left: string) => ({
    code: 0,
    stdout: `${stdout}\n1 schedule\n`,
    stderr: expect.stringContaining(`note: left ${left} paused for another reason`),
  });
  expect(await command('pause', '--reason', 'restored')).toEqual(
    done('paused schedule runs', '2 schedules'),
  );
  await untilPaused('failed', 'held', 'runs');
  expect(await command('unpause')).toEqual(done('unpaused schedule failed', '2 schedules'));
  await untilPaused('held', 'runs');
  expect(await command('unpause', '--reason', 'restored')).toEqual(
    done('unpaused schedule runs', '1 schedule'),
  );
  await untilPaused('held');
});
