import { ScheduleOverlapPolicy } from '@temporalio/client';
import type { Receipt } from '../../src/contract/names';
import { setScene, type Scene } from '../support/command-line';
import { cleanUpLater } from '../support/clean-up';
import { eventually } from '../support/eventually';
import { sharedTemporal } from '../support/setting';

jest.setTimeout(60_000);

const REQUEST = ['--ip', '203.0.113.7', '--sink', 'files'];
const ONCE_A_YEAR = '0 6 1 1 *';

let scene: Scene;

beforeAll(async () => {
  scene = await setScene();
});

describe('schedule create', () => {
  it('makes a schedule whose runs carry the time, never overlap and end with a receipt; its id is taken', async () => {
    const { workflowId, options } = scene.newTarget();
    const create = ['schedule', 'create', ...options, ...REQUEST, '--cron', ONCE_A_YEAR];
    const created = await scene.client(...create, '--timezone', 'Europe/Dublin');
    expect(created).toMatchObject({ code: 0, stderr: '' });
    expect(created.stdout).toContain(`temporal schedule describe --schedule-id ${workflowId}\n`);

    const { client } = await sharedTemporal();
    const schedule = client.schedule.getHandle(workflowId);
    cleanUpLater(() => schedule.delete());
    const { policies, spec } = await schedule.describe();
    expect(policies.overlap).toBe(ScheduleOverlapPolicy.SKIP);
    expect(spec.timezone).toBe('Europe/Dublin');

    await scene.deployment.startWorker();
    await schedule.trigger();
    const run = await eventually('a run of the schedule', async () => {
      const { info } = await schedule.describe();
      return info.recentActions[0]?.action.workflow;
    });
    expect(run.workflowId).toMatch(new RegExp(`^${workflowId}-\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$`));
    const receipt = (await client.workflow.getHandle(run.workflowId).result()) as Receipt;
    expect(receipt).toMatchObject({ sink: 'files', accessListIps: ['203.0.113.7'] });
    expect(scene.deployment.tokens()).toEqual(scene.atlas.createdTokens().map(({ linkToken }) => linkToken));

    const watch = await scene.client('watch', '--workflow-id', run.workflowId);
    expect(watch.stdout).toContain(receipt.deliveryId);

    const second = await scene.client(...create);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`there is a schedule ${workflowId}: change it with`);
  });

  it.each([
    ['no time', [], 'say when: --cron "0 6 * * 1"'],
    ['a time that is none', ['--cron', 'on Mondays'], '5-7 fields): correct --cron or --timezone'],
    [
      'a time zone that is none',
      ['--cron', ONCE_A_YEAR, '--timezone', 'Dublin'],
      'unknown time zone Dublin): correct',
    ],
  ])('%s: exit code 2, what to write, and no schedule', async (_what, when, words) => {
    const { workflowId, options } = scene.newTarget();
    const { code, stderr } = await scene.client('schedule', 'create', ...options, ...REQUEST, ...when);
    expect(stderr).toContain(words);
    expect(code).toBe(2);
    const { client } = await sharedTemporal();
    await expect(client.schedule.getHandle(workflowId).describe()).rejects.toThrow(/not found/i);
  });
});
