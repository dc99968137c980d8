import { ScheduleOverlapPolicy } from '@temporalio/client';
import type { ScheduledResult } from '../../../src/contract/schemas';
import { cleanUpLater } from '../../support/clean-up';
import { createCommandFixture, type CommandFixture } from '../../support/command-line';
import { eventually } from '../../support/eventually';
import { newOrgId } from '../../support/ids';
import { sharedTemporal } from '../../support/installation';

const REQUEST = ['--ip', '192.31.196.7', '--sink', 'files'];
const ONCE_A_YEAR = '0 6 1 1 *';

let fixture: CommandFixture;

beforeAll(async () => {
  fixture = await createCommandFixture();
  await fixture.deployment.startWorker();
}, 60_000);

async function expectNoSchedule(id: string): Promise<void> {
  const { client } = await sharedTemporal();
  await expect(client.schedule.getHandle(id).describe()).rejects.toThrow(/not found/i);
}

describe('schedule create', () => {
  it('creates a schedule whose runs start one of the usual id, never overlap and end with its receipt', async () => {
    const { workflowId, options } = fixture.newTarget();
    const create = ['schedule', 'create', ...options, ...REQUEST, '--cron', ONCE_A_YEAR];
    const created = await fixture.client(
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
    expect(action.args).toEqual([{ request: expect.objectContaining({ sink: 'files' }) }]);

    const before = fixture.atlas.createdTokens().length;
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
    const [token, ...more] = fixture.atlas.createdTokens().slice(before);
    expect(more).toEqual([]);
    expect(fixture.deployment.tokens()).toContain(token?.linkToken);

    const watch = await fixture.client('watch', ...options);
    expect(watch.stdout).toContain(result.receipt?.deliveryId);
    const start = await fixture.client('start', ...options, ...REQUEST);
    expect(start.code).toBe(6);

    const second = await fixture.client(...create);
    expect(second.code).toBe(6);
    expect(second.stderr).toContain(
      `schedule ${workflowId} exists: to change it, delete it first with: temporal schedule delete --schedule-id ${workflowId};`,
    );
  });

  it('with --always creates one that asks for a token each time, with --schedule-id under another id', async () => {
    const { options } = fixture.newTarget();
    const scheduleId = `yearly-${newOrgId()}`;
    const create = ['schedule', 'create', ...options, ...REQUEST, '--cron', ONCE_A_YEAR];
    const { stdout } = await fixture.client(...create, '--always', '--schedule-id', scheduleId);
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
    const { workflowId, options } = fixture.newTarget();
    const { code, stderr } = await fixture.client('schedule', 'create', ...options, ...REQUEST, ...when);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
    await expectNoSchedule(workflowId);
  });

  it.each<[what: string, change: { org?: string; sink?: string }, message: RegExp]>([
    [
      'a sink that the workers do not have',
      { sink: 'nowhere' },
      /^live-migration-prep: no schedule was created: the request has 1 problem\n {2}sink "nowhere" is not a sink of this organization: write one of files\n$/,
    ],
    [
      'an organization that the credential cannot see',
      { org: newOrgId() },
      /^live-migration-prep: no schedule was created: the request has 1 problem\n {2}orgId is not visible to credential default, and [^\n]*\n$/,
    ],
  ])('%s: refused now, with the remedy, and no token is requested', async (_what, { org, sink }, message) => {
    const before = fixture.atlas.requestsOn('linkTokens').length;
    const { orgId } = fixture.atlas.account;
    const request = ['--org', org ?? orgId, '--ip', '192.31.196.7', '--sink', sink ?? 'files'];
    const create = ['schedule', 'create', ...request, '--cron', ONCE_A_YEAR];
    const { code, stdout, stderr } = await fixture.client(...create);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
    await expectNoSchedule(`live-migration-prep/${org ?? orgId}`);
    expect(fixture.atlas.requestsOn('linkTokens')).toHaveLength(before);
  });
});
