import { chmodSync, rmdirSync } from 'node:fs';
import { ScheduleOverlapPolicy, type Client } from '@temporalio/client';
import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { workflowIdFor } from '../../../src/contract/names';
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

let atlas: TestAtlas;
let address: string;
let temporal: Client;
/** An installation with a worker. */
let running: Deployment;

beforeAll(async () => {
  atlas = await startAtlas();
  ({ address, client: temporal } = await sharedTemporal());
  await temporal.workflowService.registerNamespace({
    namespace: NAMESPACE,
    workflowExecutionRetentionPeriod: { seconds: (72 * 3600) as never },
  });
  running = await deploy({ atlas });
  await running.startWorker();
});

/** The environment of commands for a Temporal that rejects the calls of this name. */
async function denying(calls: RegExp): Promise<NodeJS.ProcessEnv> {
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

const client = (...args: string[]) => check(args, embeddedEnv(address));

/** Runs doctor where the configuration and the environment of a worker are. */
function doctor(deployment: Deployment, env: NodeJS.ProcessEnv = {}) {
  const environment = {
    ...embeddedEnv(address),
    TEMPORAL_NAMESPACE: NAMESPACE,
    MONGODB_ATLAS_BASE_URL: atlas.url,
    ...credentialEnv(atlas.account, 'serviceAccount'),
    ...env,
  };
  return check(['doctor', '--config', deployment.configFile], environment, deployment);
}

describe('doctor', () => {
  it('reports each part as ok and what may go wrong as a warning, changes nothing and exits with 0', async () => {
    const deployment = await deploy({ atlas });
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

  it('names each problem with the remedy, and goes on with the rest', async () => {
    const deployment = await deploy({ atlas });
    chmodSync(deployment.keysFile, 0o644);
    rmdirSync(deployment.tokensFolder);
    const { code, stdout, stderr } = await doctor(deployment, {
      ...(await denying(/\/ListWorkflowExecutions$/)),
      TEMPORAL_NAMESPACE: 'default',
      MONGODB_ATLAS_CLIENT_SECRET: `${newAccount().clientSecret}CANARY`,
    });
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'live-migration-prep: 3 errors, 3 warnings\n' });
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining(
        [
          /^warning +configuration: file .*sealing-keys\.json can be read by others: run chmod o= on it/,
          /^warning +Temporal: .* for 24 h: set at least 72 h.*temporal operator namespace update/,
          /^error +list of runs: Temporal refuses to list .*: grant the permission to list and read workflow/,
          /^ok +sealing keys: /,
          /^error +credential default: Atlas returned 401 .*; check the service account's client id and secret/,
          /^error +sink files: .*tokens of the sink cannot be written \(ENOENT\): create it/,
        ].map((line): unknown => expect.stringMatching(line)),
      ),
    );
  });

  it('checks the rest where Temporal cannot be used', async () => {
    const { code, stdout } = await doctor(running, { TEMPORAL_NAMESPACE: 'nowhere' });
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^error +Temporal: cannot reach Temporal at .*, namespace nowhere, .*not found.*: .*TEMPORAL_NAMESPACE.*\nunchecked +list of runs: .*\nunchecked .*\nok +sealing keys: .*\nok +credential default: .*\nok +sink files: /m,
    );
  });

  it('reports every problem of the configuration, and checks nothing else', async () => {
    const config: Config = { colour: 'blue', sinks: { files: { type: 'fax' } } };
    const before = atlas.requests().length;
    const { code, stderr } = await doctor(await deploy({ atlas, config }));
    expect(code).toBe(1);
    expect(stderr).toMatch(/2 problems:\n.*(type.*\n.*colour|colour.*\n.*type)/);
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

  it('--remote exits with 1 when a worker found an error, or when there is none', async () => {
    atlas.expire('accessTokens');
    atlas.faults({ on: 'oauth', status: 401, errorCode: 'invalid_client' });
    const found = await client('doctor', '--remote');
    expect(found).toMatchObject({ code: 1, stderr: 'live-migration-prep: 1 error, 0 warnings\n' });
    expect(found.stdout).toMatch(/^error +credential default: Atlas returned 401 /m);
    const nobody = await client('--task-queue', 'nobody', 'doctor', '--remote');
    expect(nobody.code).toBe(1);
    expect(nobody.stderr).toContain('live-migration-prep: no worker polls task queue nobody: start one');
  });
});

it('list, start --dry-run and doctor --remote need no permission to describe anything', async () => {
  const env = await denying(/\/Describe(Namespace|TaskQueue)$/);
  for (const command of [['list'], ['start', ...newRequest().options, '--dry-run'], ['doctor', '--remote']]) {
    const { code, stderr } = await check(command, env);
    expect({ command, code }).toEqual({ command, code: 0 });
    expect(stderr).not.toContain('live-migration-prep:');
  }
});

/** Options of a request that no other test has, and the id of its runs. */
function newRequest({ org = atlas.account.orgId, sink = 'files' } = {}) {
  const sourceOrg = newOrgId();
  return {
    options: ['--org', org, '--source-org', sourceOrg, '--ip', '192.31.196.7', '--sink', sink],
    workflowId: workflowIdFor(org, sourceOrg),
  };
}

it.each([
  ['start --dry-run', 'nothing was started'],
  ['schedule create --cron @yearly', 'no schedule was created'],
])('%s names every problem of a request, and creates nothing', async (command, consequence) => {
  const request = newRequest({ org: newOrgId(), sink: 'nowhere' });
  const exit = await client(...command.split(' '), ...request.options, '--json');
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
  ['--cron Mondays', '5-7 fields): correct --cron or --timezone'],
  [
    '--cron @yearly --until 2025-01-01T00:00:00Z',
    'no time matches --cron before --until: correct it; no schedule was created',
  ],
])('schedule create %s exits with 2, and creates nothing', async (when, message) => {
  const { options, workflowId } = newRequest();
  const { code, stderr } = await client('schedule', 'create', ...options, ...when.split(' '));
  expect(stderr).toContain(message);
  expect(code).toBe(2);
  await expect(temporal.schedule.getHandle(workflowId).describe()).rejects.toThrow(/not found/i);
});

it('start --dry-run prints what a run would do with a private address, and starts nothing', async () => {
  const { options, workflowId } = newRequest();
  const exit = await client('start', ...options, '--ip', '10.0.0.1', '--dry-run');
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
  await expect(temporal.workflow.getHandle(workflowId).describe()).rejects.toThrow(/not found/i);
});

it('schedule create creates one whose runs never overlap and have the usual id, and no second one', async () => {
  const { options, workflowId } = newRequest();
  const create = ['schedule', 'create', ...options, '--cron', '0 6 1 1 *'];
  const created = await client(
    ...[...create, '--cron', '0 18 1 1 *', '--timezone', 'Europe/Dublin'],
    ...['--jitter', '30s', '--until', '2099-01-01T00:00:00Z', '--note', 'wave 3'],
  );
  const schedule = temporal.schedule.getHandle(workflowId);
  cleanUpLater(() => schedule.delete());
  expect(created).toMatchObject({ code: 0, stderr: '' });
  expect(created.stdout).toMatch(
    new RegExp(`^created schedule ${workflowId}\nnext time: 20\\d\\d-01-01T(06|18):00:\\d\\d\\.\\d{3}Z\n`),
  );
  expect(await schedule.describe()).toMatchObject({
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: 600_000, pauseOnFailure: true },
    spec: { timezone: 'Europe/Dublin', jitter: 30_000, endAt: new Date('2099-01-01T00:00:00Z') },
    state: { note: 'wave 3' },
    action: { args: [{ request: { sink: 'files' } }] },
  });

  await schedule.trigger();
  const scheduled = await eventually('a run of the schedule', async () => {
    const { info } = await schedule.describe();
    return info.recentActions[0]?.action.workflow;
  });
  const result: unknown = await temporal.workflow.getHandle(scheduled.workflowId).result();
  const receipt: unknown = await temporal.workflow.getHandle(workflowId).result();
  expect(result).toMatchObject({ outcome: 'prepared', receipt });

  const second = await client(...create, '--json');
  expect(second.code).toBe(6);
  expect(objectIn(second)).toMatchObject({ refused: 'scheduleExists', scheduleId: workflowId });
  expect(second.stderr).toContain(
    `schedule ${workflowId} exists: to change it, delete it first with: temporal schedule delete --schedule-id ${workflowId};`,
  );

  const scheduleId = `yearly-${newOrgId()}`;
  const { stdout } = await client(...create, '--always', '--schedule-id', scheduleId);
  const always = temporal.schedule.getHandle(scheduleId);
  cleanUpLater(() => always.delete());
  expect(stdout).toContain('it creates a token each time, whether or not one is in use');
  expect((await always.describe()).action.args).toMatchObject([{ always: true }]);
});
