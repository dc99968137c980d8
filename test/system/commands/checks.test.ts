import { chmodSync, rmdirSync } from 'node:fs';
import { ScheduleOverlapPolicy } from '@temporalio/client';
import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { freePort } from '../../../dev/temporal/free-port';
import { workflowIdFor } from '../../../src/contract/names';
import type { Finding, ScheduledResult } from '../../../src/contract/schemas';
import { credentialEnv, newAccount, startAtlas, type TestAtlas } from '../../support/atlas';
import { cleanUpLater } from '../../support/clean-up';
import { expectNoSecretIn, secretsOf } from '../../support/command-line';
import { eventually } from '../../support/eventually';
import { newOrgId } from '../../support/ids';
import { deploy, type Config, type Deployment } from '../../support/installation';
import { objectIn, run } from '../../support/run-command';
import { serveRejectingGrpcProxy } from '../../support/servers';
import { sharedTemporal } from '../../support/temporal';

/** A namespace that retains closed runs for as long as is recommended. */
const NAMESPACE = `test-${newOrgId()}`;
const RETENTION_SECONDS = 72 * 3600;

let atlas: TestAtlas;
/** An installation with a worker. */
let running: Deployment;

beforeAll(async () => {
  atlas = await startAtlas();
  const { client } = await sharedTemporal();
  await client.workflowService.registerNamespace({
    namespace: NAMESPACE,
    workflowExecutionRetentionPeriod: { seconds: RETENTION_SECONDS as never },
  });
  running = await deploy({ atlas });
  await running.startWorker();
});

/** The environment of commands for a Temporal that rejects the calls of this name. */
async function denying(calls: RegExp): Promise<NodeJS.ProcessEnv> {
  const { address } = await sharedTemporal();
  const PERMISSION_DENIED = 7;
  const proxy = await serveRejectingGrpcProxy(address, calls, PERMISSION_DENIED);
  return embeddedEnv(proxy.address);
}

/** Runs a command that creates no token and shows no secret. */
async function check(args: string[], env: NodeJS.ProcessEnv, deployment = running) {
  const before = atlas.posts().length;
  const exit = await run(['--task-queue', deployment.taskQueue, ...args], env);
  expectNoSecretIn(exit.stdout + exit.stderr, secretsOf(atlas, deployment));
  expect(exit.stdout + exit.stderr).not.toContain('CANARY');
  expect(atlas.posts()).toHaveLength(before);
  return exit;
}

async function client(...args: string[]) {
  return check(args, embeddedEnv((await sharedTemporal()).address));
}

/** Runs doctor where the configuration and the environment of a worker are. */
async function doctor(deployment: Deployment, env: NodeJS.ProcessEnv = {}, ...options: string[]) {
  const environment = {
    ...embeddedEnv((await sharedTemporal()).address),
    ...{ TEMPORAL_NAMESPACE: NAMESPACE, MONGODB_ATLAS_BASE_URL: atlas.url },
    ...credentialEnv(atlas.account, 'serviceAccount'),
    ...env,
  };
  return check(['doctor', '--config', deployment.configFile, ...options], environment, deployment);
}

describe('doctor', () => {
  it('reports each part as ok and what may go wrong as a warning, changes nothing and exits with 0', async () => {
    const deployment = await deploy({ atlas });
    const { address, client: temporal } = await sharedTemporal();
    const { code, stdout, stderr } = await doctor(deployment);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { taskQueue } = deployment;
    expect(stdout.trim().split('\n')).toEqual([
      'nothing was changed, and no link-token was created',
      expect.stringMatching(
        `^ok        Temporal: server 1\\.\\S+ at ${address}, namespace ${NAMESPACE}, which retains closed runs for 72 h$`,
      ),
      'ok        list of runs: Temporal lists runs',
      `warning   task queue ${taskQueue}: no worker polls task queue ${taskQueue}: start one, or correct the name; a run stays on the task queue on which it was started`,
      expect.stringMatching(/^ok {8}sealing keys: key \S+ seals and opens$/),
      `ok        credential default: accepted by Atlas; can see ${atlas.account.orgId}`,
      expect.stringContaining(`ok        sink files: directory ${deployment.tokensFolder} can be written`),
    ]);
    expect(deployment.tokenFiles()).toEqual([]);
    expect((await temporal.workflow.count(`TaskQueue = '${taskQueue}'`)).count).toBe(0);
  });

  interface Case {
    env?: () => NodeJS.ProcessEnv | Promise<NodeJS.ProcessEnv>;
    prepare?: (deployment: Deployment) => void;
  }

  it.each<[what: string, arrange: Case, states: Record<string, Finding['state']>, message: RegExp]>([
    [
      'a retention under 72 h',
      { env: () => ({ TEMPORAL_NAMESPACE: 'default' }) },
      { Temporal: 'warning' },
      /retains closed runs for 24 h: set at least 72 h.*temporal operator namespace update/,
    ],
    [
      'a secret file that others can read',
      { prepare: ({ keysFile }) => chmodSync(keysFile, 0o644) },
      { configuration: 'warning' },
      /^file .*sealing-keys\.json can be read by others: run chmod o= on it/,
    ],
    [
      'a directory that is gone',
      { prepare: ({ tokensFolder }) => rmdirSync(tokensFolder) },
      { 'sink files': 'error' },
      /tokens of the sink cannot be written \(ENOENT\): create it/,
    ],
    [
      'a wrong secret',
      { env: () => ({ MONGODB_ATLAS_CLIENT_SECRET: `${newAccount().clientSecret}CANARY` }) },
      { 'credential default': 'error' },
      /^Atlas returned 401 .*; check the service account's client id and secret/,
    ],
    [
      'a stopped Temporal',
      { env: async () => ({ TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}` }) },
      { Temporal: 'error', 'list of runs': 'unchecked' },
      /^cannot reach Temporal at 127\.0\.0\.1:\d+, namespace \S+ .*: start it, or correct TEMPORAL_/,
    ],
    [
      'a namespace that is not there',
      { env: () => ({ TEMPORAL_NAMESPACE: 'nowhere' }) },
      { Temporal: 'error', 'list of runs': 'unchecked' },
      /^cannot reach Temporal at .*, namespace nowhere, .*not found.*: .*TEMPORAL_NAMESPACE/,
    ],
    [
      'an API key of Temporal with a line end',
      { env: () => ({ TEMPORAL_API_KEY: 'tmprl_CANARY\n' }) },
      { Temporal: 'error', 'list of runs': 'unchecked' },
      /^cannot reach Temporal at .*\(the reason quotes a credential, which may hold a line end/,
    ],
    [
      'no permission to list runs',
      { env: () => denying(/\/ListWorkflowExecutions$/) },
      { 'list of runs': 'error' },
      /^Temporal refuses to list .*: grant the permission to list workflow executions/,
    ],
  ])(
    'names %s with the remedy, and goes on with the rest',
    async (_what, { env, prepare }, states, message) => {
      const deployment = await deploy({ atlas });
      prepare?.(deployment);
      const exit = await doctor(deployment, await env?.(), '--json');
      const findings = objectIn(exit)['findings'] as Finding[];
      const stateOf = Object.fromEntries(findings.map(({ check, state }) => [check, state]));
      expect(stateOf).toMatchObject({
        'sealing keys': 'ok',
        'credential default': 'ok',
        'sink files': 'ok',
        ...states,
      });
      expect(findings.find(({ check }) => check in states)?.message).toMatch(message);
      const hasError = Object.values(stateOf).includes('error');
      expect(exit).toMatchObject({
        code: hasError ? 1 : 0,
        stderr: hasError ? expect.stringMatching(/^live-migration-prep: 1 error, [0-2] warnings?\n$/) : '',
      });
    },
  );

  it('reports every problem of the configuration, and checks nothing else', async () => {
    const config: Config = { colour: 'blue', sinks: { files: { type: 'fax' } } };
    const before = atlas.requests().length;
    const exit = await doctor(await deploy({ atlas, config }), {}, '--json');
    expect(exit.code).toBe(1);
    expect(objectIn(exit)['error']).toMatch(/2 problems:\n.*(type.*\n.*colour|colour.*\n.*type)/);
    expect(atlas.requests()).toHaveLength(before);
  });

  it('--remote reports what a worker found, although the clock here is two minutes fast', async () => {
    const now = Date.now.bind(Date);
    const fast = jest.spyOn(Date, 'now').mockImplementation(() => now() + 120_000);
    const exit = await client('doctor', '--remote').finally(() => fast.mockRestore());
    expect(exit).toEqual({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(
        /^nothing was changed, .*\nok {8}list of runs: .*\nok {8}sealing keys: .*\nok {8}credential default: accepted by Atlas.*\nok {8}sink files: directory .* can be written\n$/,
      ),
    });
  });

  it('--remote exits with 1 when a worker found an error', async () => {
    atlas.expire('accessTokens');
    atlas.faults({ on: 'oauth', status: 401, errorCode: 'invalid_client' });
    const { code, stdout, stderr } = await client('doctor', '--remote');
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'live-migration-prep: 1 error, 0 warnings\n' });
    expect(stdout).toMatch(/^error {5}credential default: Atlas returned 401 .*check the service account's/m);
  });

  it('--remote says that no worker polls the task queue', async () => {
    const { code, stderr } = await client('--task-queue', 'nobody', 'doctor', '--remote');
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^live-migration-prep: no worker polls task queue nobody: start one/),
    });
  });
});

it('list, start --dry-run and doctor --remote need no permission to describe anything', async () => {
  const env = await denying(/\/Describe(Namespace|TaskQueue)$/);
  for (const command of [['list'], ['start', ...requestOf(), '--dry-run'], ['doctor', '--remote']]) {
    const { code, stderr } = await check(command, env);
    expect([command, code, stderr]).toEqual([
      command,
      0,
      expect.not.stringContaining('live-migration-prep:'),
    ]);
  }
});

/** Options of a request that no other test has. */
function requestOf({ org = atlas.account.orgId, sourceOrg = newOrgId(), sink = 'files' } = {}): string[] {
  return ['--org', org, '--source-org', sourceOrg, '--ip', '192.31.196.7', '--sink', sink];
}

const ONCE_A_YEAR = ['--cron', '0 6 1 1 *'];

describe('a request with problems creates nothing:', () => {
  it.each([
    ['start --dry-run', 'nothing was started', []],
    ['schedule create', 'no schedule was created', ONCE_A_YEAR],
  ])('%s names every one of them', async (command, consequence, options) => {
    const request = requestOf({ org: newOrgId(), sink: 'nowhere' });
    const exit = await client(...command.split(' '), ...request, ...options, '--json');
    expect(exit.code).toBe(1);
    expect(exit.stderr).toMatch(
      new RegExp(
        `^live-migration-prep: ${consequence}: the request has 2 problems\n {2}sink "nowhere" is not a sink of this organization: write one of files\n {2}orgId is not visible to credential default, and [^\n]*\n$`,
      ),
    );
    const fields = [{ field: 'sink' }, { field: 'orgId' }];
    expect(objectIn(exit)).toMatchObject({ type: 'InvalidRequest', request: null, fields });
  });

  it.each([
    ['a time that is none', ['--cron', 'on Mondays'], '5-7 fields): correct --cron or --timezone'],
    ['no time zone', [...ONCE_A_YEAR, '--timezone', 'Dublin'], 'unknown time zone Dublin): correct'],
    ['a day that no month has', ['--cron', '0 6 30 2 *'], 'no time matches --cron: correct it; no schedule'],
    [
      'an end before the first time',
      ['--cron', '0 6 1 1 * 2098', '--until', '2097-01-01T00:00:00Z'],
      'no time matches --cron before --until: correct it; no schedule was created',
    ],
  ])('schedule create with %s exits with 2', async (_what, when, message) => {
    const sourceOrg = newOrgId();
    const { code, stderr } = await client('schedule', 'create', ...requestOf({ sourceOrg }), ...when);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
    const { client: temporal } = await sharedTemporal();
    const schedule = temporal.schedule.getHandle(workflowIdFor(atlas.account.orgId, sourceOrg));
    await expect(schedule.describe()).rejects.toThrow(/not found/i);
  });
});

it('start --dry-run prints what a run would do with a private address, and starts nothing', async () => {
  const sourceOrg = newOrgId();
  const workflowId = workflowIdFor(atlas.account.orgId, sourceOrg);
  const exit = await client('start', ...requestOf({ sourceOrg }), '--ip', '10.0.0.1', '--dry-run');
  expect(exit).toMatchObject({ code: 0, stderr: '' });
  expect(exit.stdout.trim().split('\n')).toEqual([
    `nothing was started; start would start ${workflowId}`,
    '  credential      default',
    '  access list     192.31.196.7, 10.0.0.1',
    '  sink            files',
    expect.stringMatching(
      /^ {2}warning {9}accessListIps\[1\] "10\.0\.0\.1" is in a range \(private\) that Atlas sees only over/,
    ),
    'ok        list of runs: Temporal lists runs',
    expect.stringMatching(/^ok {8}sealing keys: /),
    'ok        credential default: accepted by Atlas',
    `ok        organization ${atlas.account.orgId}: visible to credential default`,
    expect.stringMatching(/^ok {8}sink files: /),
  ]);
  const { client: temporal } = await sharedTemporal();
  await expect(temporal.workflow.getHandle(workflowId).describe()).rejects.toThrow(/not found/i);
});

describe('schedule create', () => {
  it('creates a schedule whose runs never overlap and have the usual id, and refuses a second one', async () => {
    const sourceOrg = newOrgId();
    const workflowId = workflowIdFor(atlas.account.orgId, sourceOrg);
    const create = ['schedule', 'create', ...requestOf({ sourceOrg }), ...ONCE_A_YEAR];
    const created = await client(
      ...[...create, '--cron', '0 18 1 1 *', '--timezone', 'Europe/Dublin'],
      ...['--jitter', '30s', '--until', '2099-01-01T00:00:00Z', '--note', 'wave 3'],
    );
    expect(created).toMatchObject({ code: 0, stderr: '' });
    expect(created.stdout).toMatch(
      new RegExp(`^created schedule ${workflowId}\nnext time: 20\\d\\d-01-01T(06|18):00:\\d\\d\\.\\d{3}Z\n`),
    );

    const { client: temporal } = await sharedTemporal();
    const schedule = temporal.schedule.getHandle(workflowId);
    cleanUpLater(() => schedule.delete());
    const endAt = new Date('2099-01-01T00:00:00Z');
    expect(await schedule.describe()).toMatchObject({
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: 600_000, pauseOnFailure: true },
      spec: { timezone: 'Europe/Dublin', jitter: 30_000, endAt },
      state: { note: 'wave 3' },
      action: { args: [{ request: { sink: 'files' } }] },
    });

    await schedule.trigger();
    const scheduled = await eventually('a run of the schedule', async () => {
      const { info } = await schedule.describe();
      return info.recentActions[0]?.action.workflow;
    });
    expect(scheduled.workflowId).toMatch(
      new RegExp(`^${workflowId}/schedule-\\d{4}-\\d\\d-\\d\\dT[\\d:]{8}Z$`),
    );
    const { outcome, receipt } = (await temporal.workflow
      .getHandle(scheduled.workflowId)
      .result()) as ScheduledResult;
    expect({ outcome, receipt }).toMatchObject({ outcome: 'prepared', receipt: { sink: 'files' } });
    expect(await temporal.workflow.getHandle(workflowId).result()).toEqual(receipt);

    const second = await client(...create);
    expect(second.code).toBe(6);
    expect(second.stderr).toContain(
      `schedule ${workflowId} exists: to change it, delete it first with: temporal schedule delete --schedule-id ${workflowId};`,
    );
  });

  it('with --always creates one that asks for a token each time, with --schedule-id under another id', async () => {
    const scheduleId = `yearly-${newOrgId()}`;
    const options = ['--always', '--schedule-id', scheduleId];
    const { stdout } = await client('schedule', 'create', ...requestOf(), ...ONCE_A_YEAR, ...options);
    expect(stdout).toContain('it creates a token each time, whether or not one is in use');
    const { client: temporal } = await sharedTemporal();
    const schedule = temporal.schedule.getHandle(scheduleId);
    cleanUpLater(() => schedule.delete());
    expect((await schedule.describe()).action.args).toMatchObject([{ always: true }]);
  });
});
