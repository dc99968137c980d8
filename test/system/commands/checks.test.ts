import { chmodSync, existsSync, renameSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ScheduleOverlapPolicy } from '@temporalio/client';
import { credentialEnv, seedOf } from '../../support/atlas';
import { cleanUpLater } from '../../support/clean-up';
import { newOrgId } from '../../support/ids';
import { linesLike, objectIn } from '../../support/run-command';
import { serveRejectingGrpcProxy } from '../../support/servers';
import { fixture } from './shared-fixture';

/** A namespace that retains closed runs for as long as is recommended. */
const NAMESPACE = `test-${newOrgId()}`;

beforeAll(async () => {
  const { blockedSink, temporal } = fixture();
  blockedSink.repair();
  const workflowExecutionRetentionPeriod = { seconds: (72 * 3600) as never };
  await temporal.workflowService.registerNamespace({
    namespace: NAMESPACE,
    workflowExecutionRetentionPeriod,
  });
});
afterEach(() => expect(fixture().atlas.posts()).toEqual([]));
afterAll(() => {
  const { blockedSink, installation } = fixture();
  // Alone, this file has an installation of its own, which is gone by now.
  if (existsSync(installation.folder)) blockedSink.block();
});

/** Returns options with which a command uses a Temporal that rejects these calls. */
async function denying(calls: RegExp): Promise<string[]> {
  const PERMISSION_DENIED = 7;
  const proxy = await serveRejectingGrpcProxy(fixture().address, calls, PERMISSION_DENIED);
  return ['--address', proxy.address];
}

const matching = (pattern: string) => expect.stringMatching(new RegExp(pattern));

/** The end of doctor's last line. */
const UNCHANGED = 'nothing was changed, and no link-token was created';

/** Runs doctor with the configuration and the environment of the worker. */
function doctor(options: string[], env: NodeJS.ProcessEnv = {}) {
  const { atlas, installation } = fixture();
  const ofWorker = { MONGODB_ATLAS_BASE_URL: atlas.url, ...credentialEnv(atlas.account) };
  const args = ['doctor', '--config', installation.configFile, ...options];
  return fixture().start(args, { env: { ...ofWorker, ...env } }).exited;
}

describe('doctor', () => {
  it('reports each check, changes nothing, and exits with 0 without an error', async () => {
    const { address, atlas, installation } = fixture();
    const { taskQueue, tokensFolder } = installation;
    const { code, stdout, stderr } = await doctor(['--namespace', NAMESPACE]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.trim().split('\n')).toEqual([
      expect.stringMatching(
        `^ok        Temporal: server 1\\.\\S+ at ${address}, namespace ${NAMESPACE},` +
          ' which retains closed runs for 72 h$',
      ),
      'ok        list of runs: Temporal lists runs',
      expect.stringMatching(/^ok {8}sealing keys: key \S+ seals and opens tokens$/),
      `ok        credential default: accepted by Atlas; can see ${atlas.account.orgId}`,
      `ok        role of credential default: may create link-tokens in ${atlas.account.orgId}`,
      expect.stringContaining(`ok        sink files: directory ${tokensFolder} can be written`),
      expect.stringContaining(
        `ok        sink blocked: directory ${fixture().blockedSink.directory} can be`,
      ),
      `warning   task queue ${taskQueue}: no worker polls task queue ${taskQueue}:` +
        ' start one, or correct the name; a run stays on the task queue on which it was started',
      `8 checks, 0 errors, 1 warning; ${UNCHANGED}`,
    ]);
    expect(installation.tokenFiles()).toEqual([]);
  });

  it('names each problem with its remedy, and goes on with the rest', async () => {
    const { atlas, blockedSink, installation } = fixture();
    chmodSync(installation.keysFile, 0o644);
    blockedSink.block();
    const wrongSecret = { MONGODB_ATLAS_CLIENT_SECRET: `${atlas.account.clientSecret}x` };
    const { code, stdout, stderr } = await doctor(
      await denying(/\/ListWorkflowExecutions$/),
      wrongSecret,
    );
    blockedSink.repair();
    chmodSync(installation.keysFile, 0o600);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `live-migration-prep: 9 checks, 3 errors, 2 warnings; ${UNCHANGED}\n`,
    });
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining(
        [
          /^warning +configuration: every user of the host can access file .*sealing-keys\.json: run chmod o= on it/,
          /^warning +Temporal: .* for 24 h: set at least 72 h.*temporal operator namespace update/,
          /^error +list of runs: Temporal refuses to list .*: grant the permission to list and read workflow/,
          /^ok +sealing keys: /,
          /^error +credential default: Atlas returned 401 .*; check the client id and secret of credential default/,
          /^error +sink blocked: .* is not a directory/,
        ].map((line): unknown => expect.stringMatching(line)),
      ),
    );
  });

  it('checks the rest where Temporal cannot be used', async () => {
    const { code, stdout } = await doctor(['--namespace', 'nowhere']);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      linesLike(
        [
          /ok +sealing keys: .*/,
          /ok +credential default: .*/,
          /ok +role of .*/,
          /ok +sink files: .*/,
          /ok +sink blocked: .*/,
          /unchecked +list of runs, task queue .*: the check of Temporal failed/,
          /error +Temporal: no access to Temporal at .*, namespace nowhere, .*not found.*: .*TEMPORAL_NAMESPACE.*/,
        ],
        'm',
      ),
    );
  });

  it('--remote reports what a worker found, and exits with 1 after an error', async () => {
    fixture().blockedSink.block();
    const exit = await fixture()
      .client('doctor', '--remote')
      .finally(() => fixture().blockedSink.repair());
    expect(exit).toEqual({
      code: 1,
      stderr: `live-migration-prep: 6 checks, 1 error, 0 warnings; ${UNCHANGED}\n`,
      stdout: expect.stringMatching(
        linesLike([
          /^worker \d+@\S+ checked itself/,
          /ok {8}list of runs: .*/,
          /ok {8}sealing keys: .*/,
          /ok {8}credential default: accepted by Atlas/,
          /ok {8}role of credential default: .* in 1 organization/,
          /ok {8}sink files: directory .* can be written .*/,
          /error {5}sink blocked: .*\n$/,
        ]),
      ),
    });
  });

  it('--remote says that a restart would lose the keys whose file is gone', async () => {
    const { client, installation } = fixture();
    const elsewhere = `${installation.keysFile}.moved`;
    renameSync(installation.keysFile, elsewhere);
    const { code, stdout } = await client('doctor', '--remote').finally(() =>
      renameSync(elsewhere, installation.keysFile),
    );
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /\nerror +sealing keys: this worker has \S+ only in memory: do not restart this worker; restore the file /,
    );
  });
});

it('list, start --dry-run and doctor --remote need no permission to describe anything', async () => {
  const options = await denying(/\/Describe(Namespace|TaskQueue)$/);
  const dryRun = ['start', ...fixture().newTarget().requestOptions(), '--dry-run'];
  for (const command of [['list'], dryRun, ['doctor', '--remote']]) {
    const { code, stderr } = await fixture().client(...command, ...options);
    expect({ command, code }).toEqual({ command, code: 0 });
    expect(stderr).not.toContain('live-migration-prep:');
  }
});

it('start --dry-run prints what a run would do, and starts nothing', async () => {
  const { requestOptions, workflowId } = fixture().newTarget();
  const exit = await fixture().client(
    'start',
    ...requestOptions(),
    '--ip',
    '17.2.0.0/15',
    '--dry-run',
  );
  expect(exit.code).toBe(0);
  expect(exit.stdout.trim().split('\n')).toEqual([
    `would start  ${workflowId.replace('live-migration-prep/', '')}  into sink files`,
    '  credential      default',
    expect.stringMatching(/^ {2}access list {5}2001:\S+, 17\.2\.0\.0\/15$/),
    '  sink            files',
    expect.stringMatching(
      /^ {2}warning {9}accessListIps\[1\] "17\.2\.0\.0\/15" is a wide block: write/,
    ),
    'ok        list of runs: Temporal lists runs',
    expect.stringMatching(/^ok {8}sealing keys: /),
    'ok        credential default: accepted by Atlas',
    `ok        organization ${fixture().atlas.account.orgId}: credential default may create link-tokens`,
    expect.stringMatching(/^ok {8}sink files: /),
  ]);
  await expect(fixture().newestRunId(workflowId)).rejects.toThrow(/not found/i);
});

it('a missing owner role fails doctor and the checks of a request; doctor --remote warns', async () => {
  const { atlas, client } = fixture();
  const { serviceAccounts = [], ...seed } = seedOf([atlas.account]);
  atlas.seed({
    ...seed,
    serviceAccounts: serviceAccounts.map((each) => ({ ...each, roles: ['ORG_MEMBER'] })),
  });
  const request = fixture().newTarget().requestOptions();
  // An earlier check shares what Atlas accepted for so long.
  await sleep(2000);
  const [host, ...exits] = [
    await doctor([]),
    await client('start', ...request, '--dry-run'),
    await client('schedule', 'create', ...request, '--cron', '@yearly'),
  ];
  const remote = await client('doctor', '--remote');
  atlas.seed({ ...seed, serviceAccounts });
  const finding =
    ': credential default cannot create link-tokens in .* 401 NOT_ORG_OWNER .*; check that';
  expect(host).toMatchObject({
    code: 1,
    stdout: matching(`\\nerror +role of credential default${finding}`),
  });
  for (const exit of exits) {
    expect(exit).toMatchObject({
      code: 1,
      stderr: matching(`\\n +error +organization \\w+${finding}`),
    });
  }
  expect(remote).toMatchObject({
    code: 0,
    stdout: matching(`\\nwarning +role of credential default${finding}`),
  });
});

describe('schedule create', () => {
  it.each([
    [
      '--cron @yearly --sink nowhere',
      1,
      /: the request has 1 problem\n {2}sink "nowhere" is not a sink of/,
    ],
    ['--cron Mondays', 2, /5-7 fields\): correct --cron$/m],
    [
      '--cron @yearly --until 2025-01-01T00:00:00Z',
      2,
      /: no time matches --cron before --until: correct it;/,
    ],
  ])('%s says why it creates nothing', async (options, code, message) => {
    const { requestOptions, workflowId } = fixture().newTarget();
    const exit = await fixture().client(
      'schedule',
      'create',
      ...requestOptions(),
      ...options.split(' '),
    );
    expect(exit).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) });
    const schedule = fixture().temporal.schedule.getHandle(workflowId);
    await expect(schedule.describe()).rejects.toThrow(/not found/i);
  });

  const EVERY_YEAR = ['--cron', '0 6 1 1 *'];

  /** A request for the organization of the fixture. */
  const ofFixture = (): unknown =>
    expect.objectContaining({ orgId: fixture().atlas.account.orgId, sink: 'files' });

  /** A schedule that exists; it is gone after the last test. */
  function scheduleOf(scheduleId: string) {
    const schedule = fixture().temporal.schedule.getHandle(scheduleId);
    cleanUpLater(() => schedule.delete());
    return schedule;
  }

  it('creates a schedule whose runs never overlap', async () => {
    const { requestOptions, workflowId } = fixture().newTarget();
    const { code, stdout, stderr } = await fixture().client(
      'schedule',
      'create',
      ...requestOptions(),
      '--cron',
      'CRON_TZ=Europe/Dublin 0 6 1 1 *',
      '--cron',
      'CRON_TZ=Europe/Dublin 0 18 1 1 *',
      '--jitter',
      '30s',
      '--until',
      '2099-01-01T00:00:00Z',
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      new RegExp(
        `^created schedule ${workflowId}\nnext time: 20\\d\\d-01-01T(06|18):00:\\d\\d\\.\\d{3}Z\n`,
      ),
    );
    expect(stdout).toContain(
      `\nsee its runs: temporal workflow list --namespace default --query 'TemporalScheduledById = "${workflowId}"'\n`,
    );
    const description = await scheduleOf(workflowId).describe();
    expect(description).toMatchObject({
      policies: {
        overlap: ScheduleOverlapPolicy.SKIP,
        catchupWindow: 600_000,
        pauseOnFailure: true,
      },
      spec: { timezone: 'Europe/Dublin', jitter: 30_000, endAt: new Date('2099-01-01T00:00:00Z') },
      action: {
        workflowType: 'prepareOnSchedule',
        workflowId: `${workflowId}/schedule`,
        taskQueue: fixture().installation.taskQueue,
      },
    });
    expect(description.action.args).toEqual([{ request: ofFixture() }]);
  });

  it('creates no second schedule with the same id', async () => {
    const { requestOptions, workflowId } = fixture().newTarget();
    const create = ['schedule', 'create', ...requestOptions(), ...EVERY_YEAR];
    expect(await fixture().client(...create)).toMatchObject({ code: 0 });
    scheduleOf(workflowId);
    const second = await fixture().client(...create, '--json');
    expect(second.code).toBe(6);
    expect(objectIn(second)).toMatchObject({ type: 'ScheduleExists', scheduleId: workflowId });
    expect(second.stderr).toContain(
      `schedule ${workflowId} exists: to change it, delete it first with:` +
        ` temporal schedule delete --namespace default --schedule-id ${workflowId}\n`,
    );
  });

  it('creates one with --always whose runs check nothing', async () => {
    const { requestOptions, workflowId } = fixture().newTarget();
    const create = ['schedule', 'create', ...requestOptions(), ...EVERY_YEAR, '--always'];
    const { stdout } = await fixture().client(...create);
    const description = await scheduleOf(workflowId).describe();
    expect(stdout).toContain('it creates a token each time, whether or not one is in use');
    expect(description.action.args).toEqual([{ request: ofFixture(), always: true }]);
  });
});
