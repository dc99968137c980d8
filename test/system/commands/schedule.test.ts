import { ScheduleOverlapPolicy } from '@temporalio/client';
import { RawValue } from '@temporalio/common';
import { WORKFLOW_TYPES } from '../../../src/contract/names';
import type { ScheduledResult } from '../../../src/contract/schemas';
import { setScene, type Scene } from '../../support/command-line';
import { cleanUpLater } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { newOrgId } from '../../support/ids';
import { objectsIn } from '../../support/run-command';
import { sharedTemporal } from '../../support/setting';

const REQUEST = ['--ip', '192.31.196.7', '--sink', 'files'];
const EACH_SECOND = '* * * * * * *';
const ONCE_A_YEAR = '0 6 1 1 *';

let scene: Scene;

beforeAll(async () => {
  scene = await setScene();
  await scene.deployment.startWorker();
}, 60_000);

async function expectNoSchedule(id: string): Promise<void> {
  const { client } = await sharedTemporal();
  await expect(client.schedule.getHandle(id).describe()).rejects.toThrow(/not found/i);
}

describe('schedule create', () => {
  it('creates a schedule whose runs start one of the usual id, never overlap and end with its receipt', async () => {
    const { workflowId, options } = scene.newTarget();
    const create = ['schedule', 'create', ...options, ...REQUEST, '--cron', ONCE_A_YEAR];
    const created = await scene.client(
      ...[...create, '--cron', '0 18 1 1 *', '--timezone', 'Europe/Dublin'],
      ...['--jitter', '30s', '--until', '2099-01-01T00:00:00Z', '--note', 'wave 3'],
    );
    expect(created).toMatchObject({ code: 0, stderr: '' });
    expect(created.stdout).toMatch(
      new RegExp(`^created schedule ${workflowId}\nnext time: 20\\d\\d-01-01T(06|18):00:\\d\\d\\.\\d{3}Z\n`),
    );

    const { client } = await sharedTemporal();
    const schedule = client.schedule.getHandle(workflowId);
    cleanUpLater(() => schedule.delete());
    const { policies, spec, state, action } = await schedule.describe();
    expect(policies).toEqual({
      overlap: ScheduleOverlapPolicy.SKIP,
      catchupWindow: 600_000,
      pauseOnFailure: true,
    });
    const endAt = new Date('2099-01-01T00:00:00Z');
    expect(spec).toMatchObject({ timezone: 'Europe/Dublin', jitter: 30_000, endAt });
    expect(state.note).toBe('wave 3');
    expect(action.args).toEqual([{ request: expect.objectContaining({ sink: 'files' }) as unknown }]);

    const before = scene.atlas.createdTokens().length;
    await schedule.trigger();
    const run = await eventually('a run of the schedule', async () => {
      const { info } = await schedule.describe();
      return info.recentActions[0]?.action.workflow;
    });
    expect(run.workflowId).toMatch(
      new RegExp(`^${workflowId}/schedule-\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$`),
    );
    const result = (await client.workflow.getHandle(run.workflowId).result()) as ScheduledResult;
    expect(result).toMatchObject({
      outcome: 'prepared',
      receipt: { sink: 'files', accessListIps: ['192.31.196.7'] },
    });
    const [token, ...more] = scene.atlas.createdTokens().slice(before);
    expect(more).toEqual([]);
    expect(scene.deployment.tokens()).toContain(token?.linkToken);

    const watch = await scene.client('watch', ...options);
    expect(watch.stdout).toContain(result.receipt?.deliveryId);
    const start = await scene.client('start', ...options, ...REQUEST);
    expect(start.code).toBe(6);

    const second = await scene.client(...create);
    expect(second.code).toBe(6);
    expect(second.stderr).toContain(
      `schedule ${workflowId} exists: to change it, delete it first with: temporal schedule delete --schedule-id ${workflowId};`,
    );
  });

  it('with --always creates one that asks for a token each time, with --schedule-id under another id', async () => {
    const { options } = scene.newTarget();
    const scheduleId = `yearly-${newOrgId()}`;
    const create = ['schedule', 'create', ...options, ...REQUEST, '--cron', ONCE_A_YEAR];
    const { stdout } = await scene.client(...create, '--always', '--schedule-id', scheduleId);
    expect(stdout).toContain('it creates a token each time, whether or not one is in use');
    const { client } = await sharedTemporal();
    const schedule = client.schedule.getHandle(scheduleId);
    cleanUpLater(() => schedule.delete());
    const { action } = await schedule.describe();
    expect(action.args).toMatchObject([{ always: true }]);
  });

  it.each([
    ['a time that is none', ['--cron', 'on Mondays'], '5-7 fields): correct --cron or --timezone'],
    [
      'a time zone that is none',
      ['--cron', ONCE_A_YEAR, '--timezone', 'Dublin'],
      'unknown time zone Dublin): correct',
    ],
    [
      'a day that no month has',
      ['--cron', '0 6 30 2 *'],
      'no time matches --cron: correct it; no schedule was created',
    ],
    [
      'an end before the first time',
      ['--cron', '0 6 1 1 * 2098', '--until', '2097-01-01T00:00:00Z'],
      'no time matches --cron before --until: correct it; no schedule was created',
    ],
  ])('%s: exit code 2, what to write, and no schedule', async (_what, when, message) => {
    const { workflowId, options } = scene.newTarget();
    const { code, stderr } = await scene.client('schedule', 'create', ...options, ...REQUEST, ...when);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
    await expectNoSchedule(workflowId);
  });

  it.each<[what: string, change: { org?: string; sink?: string }, message: RegExp]>([
    [
      'a sink that the workers do not have',
      { sink: 'nowhere' },
      /^live-migration-prep: no schedule was created: the request has 1 problem\(s\)\n {2}sink "nowhere" is not a sink of this organization: write one of files\n$/,
    ],
    [
      'an organization that the credential cannot see',
      { org: newOrgId() },
      /\n {2}orgId is not visible to credential default, and .*\n {2}error {5}organization \S+: is not visible/,
    ],
  ])('%s: refused now, with the remedy, and no token is requested', async (_what, { org, sink }, message) => {
    const before = scene.atlas.requestsOn('linkTokens').length;
    const { orgId } = scene.atlas.account;
    const request = ['--org', org ?? orgId, '--ip', '192.31.196.7', '--sink', sink ?? 'files'];
    const create = ['schedule', 'create', ...request, '--cron', ONCE_A_YEAR];
    const { code, stdout, stderr } = await scene.client(...create);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
    await expectNoSchedule(`live-migration-prep/${org ?? orgId}`);
    expect(scene.atlas.requestsOn('linkTokens')).toHaveLength(before);
  });
});

describe('schedule list', () => {
  it('prints when each schedule runs next, and how its last run ended', async () => {
    const { client } = await sharedTemporal();
    const newSchedule = async (...more: string[]) => {
      const { workflowId, options } = scene.newTarget();
      const { code } = await scene.client('schedule', 'create', ...options, ...REQUEST, ...more);
      expect(code).toBe(0);
      const schedule = client.schedule.getHandle(workflowId);
      cleanUpLater(() => schedule.delete());
      return { schedule, pair: options.filter((option) => !option.startsWith('--')) };
    };
    const crons = ['0 6 * * 1', '*/15 8-18 1,15 1-6/2 *', '30 0 6 * * 1 2098', '@every 32400000s'];
    const waiting = await newSchedule(...crons.flatMap((cron) => ['--cron', cron]), '--always');
    scene.atlas.faults({ on: 'availableProjects', status: 403 });
    const failing = await newSchedule('--cron', EACH_SECOND, '--timezone', 'Europe/Dublin');
    const listed = () => scene.client('--json', 'schedule', 'list');
    const schedules = await eventually('the pause', async () => {
      const found = objectsIn(await listed()).filter(({ scheduleId }) =>
        [waiting, failing].some(({ schedule }) => schedule.scheduleId === scheduleId),
      );
      return found.length === 2 && found.some(({ paused }) => paused) && found;
    });
    const byId = new Map(schedules.map((schedule) => [schedule['scheduleId'], schedule]));
    const time = expect.stringMatching(/^2\d{3}-.*Z$/) as string;
    expect(byId.get(waiting.schedule.scheduleId)).toEqual({
      ...{ scheduleId: waiting.schedule.scheduleId, orgId: waiting.pair[0], sourceOrgId: waiting.pair[1] },
      ...{ sink: 'files', always: true, cron: crons, except: [], timezone: null, paused: false, note: null },
      ...{ nextAt: time, lastAt: null, lastOutcome: null },
    });
    expect(byId.get(failing.schedule.scheduleId)).toMatchObject({
      ...{ always: false, cron: [EACH_SECOND], timezone: 'Europe/Dublin', paused: true, nextAt: null },
      ...{ note: expect.stringContaining('paused due to workflow failure') as unknown },
      ...{ lastAt: time, lastOutcome: 'AtlasRequestRejected' },
    });

    await failing.schedule.unpause('repaired');
    const { stdout, stderr } = await eventually('a run after the token', async () => {
      const exit = await scene.client('schedule', 'list');
      return exit.stdout.includes(' recentToken\n') && exit;
    });
    expect(stdout).toContain(`\n  when            ${EACH_SECOND} (Europe/Dublin)\n`);
    expect(stdout).toContain('\n  note            repaired\n');
    expect(stderr).toBe('note: the list may lag by a moment\n');
    const elsewhere = await scene.client('--task-queue', newOrgId(), 'schedule', 'list');
    expect(elsewhere.stdout).toBe('0 schedule(s)\n');
  });

  it.each([
    ['in a foreign encoding', 'binary/foreign'],
    ['that is no JSON', 'json/plain'],
  ])('lists what it can read of a schedule with input and memo %s', async (_what, encoding) => {
    const { client } = await sharedTemporal();
    const scheduleId = `foreign-${newOrgId()}`;
    const foreign = RawValue.fromPayload({
      metadata: { encoding: Buffer.from(encoding) },
      data: Buffer.from('x'),
    });
    const schedule = await client.schedule.create({
      scheduleId,
      memo: { foreign },
      spec: {
        intervals: [{ every: '1h', offset: '5m' }],
        skip: [{ month: 'DECEMBER', dayOfMonth: 25, hour: '*' }],
      },
      action: {
        type: 'startWorkflow',
        workflowType: WORKFLOW_TYPES.prepareOnSchedule,
        taskQueue: scene.deployment.taskQueue,
        args: [foreign],
      },
    });
    cleanUpLater(() => schedule.delete());
    const { code, stdout } = await eventually('the schedule in the list', async () => {
      const exit = await scene.client('schedule', 'list');
      return exit.stdout.includes(scheduleId) && exit;
    });
    expect(code).toBe(0);
    expect(stdout).toContain(
      `${scheduleId}\n  pair            unknown\n  sink            unknown\n  when            @every 3600s/300s, except 0 * 25 12 *\n`,
    );
  });
});
