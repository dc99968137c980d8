import { chmodSync, rmdirSync } from 'node:fs';
import { embeddedEnv } from '../../../dev/temporal/embedded-env';
import { freePort } from '../../../dev/temporal/free-port';
import { credentialEnv, newAccount, type TestAtlas } from '../../support/atlas';
import { cleanUpLater } from '../../support/clean-up';
import { expectNoSecretIn, secretsOf } from '../../support/command-line';
import type { Deployment } from '../../support/deployment';
import { newOrgId } from '../../support/ids';
import { deploy, sharedTemporal, startAtlas } from '../../support/installation';
import { objectIn, run } from '../../support/run-command';
import { serveRejectingGrpcProxy } from '../../support/servers';

/** A namespace that retains closed runs for as long as is recommended. */
const NAMESPACE = `test-${newOrgId()}`;
const RETENTION_SECONDS = 72 * 3600;

let atlas: TestAtlas;

beforeAll(async () => {
  atlas = await startAtlas();
  const { client } = await sharedTemporal();
  await client.workflowService.registerNamespace({
    namespace: NAMESPACE,
    workflowExecutionRetentionPeriod: { seconds: RETENTION_SECONDS as never },
  });
});

interface Finding {
  check: string;
  state: string;
  message: string;
}

/** Runs doctor where the worker's configuration and environment are. It creates nothing and shows no secret. */
async function doctor(deployment: Deployment, env: Record<string, string> = {}, ...options: string[]) {
  const { address } = await sharedTemporal();
  const environment = {
    ...embeddedEnv(address),
    TEMPORAL_NAMESPACE: NAMESPACE,
    MONGODB_ATLAS_BASE_URL: atlas.url,
    ...credentialEnv(atlas.account, 'serviceAccount'),
    ...env,
  };
  const command = ['doctor', '--config', deployment.configFile, ...options];
  const exit = await run(command, environment);
  const wrongSecret = env['MONGODB_ATLAS_CLIENT_SECRET'];
  expectNoSecretIn(exit.stdout + exit.stderr, [
    ...secretsOf(atlas, deployment),
    ...(wrongSecret ? [wrongSecret] : []),
  ]);
  expect(atlas.createdTokens()).toEqual([]);
  expect(atlas.state().serviceAccounts).toEqual([expect.objectContaining({ liveAccessTokens: 0 })]);
  return exit;
}

describe('doctor', () => {
  it('reports each part as ok, changes nothing and exits with 0', async () => {
    const deployment = await deploy({ atlas });
    const exit = await doctor(deployment);
    const { address, client } = await sharedTemporal();
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    expect(exit.stdout.trim().split('\n')).toEqual([
      'nothing was changed, and no link-token was created',
      expect.stringMatching(
        `^ok        Temporal: server 1\\.\\S+ at ${address}, namespace ${NAMESPACE}, which retains closed runs for 72 h$`,
      ),
      'ok        list of runs: Temporal lists runs',
      `warning   task queue ${deployment.taskQueue}: no worker polls task queue ${deployment.taskQueue}: start one, or correct the name; a run stays on the task queue on which it was started`,
      expect.stringMatching(/^ok {8}sealing keys: key \S+ seals and opens$/),
      `ok        credential default: accepted by Atlas; can see ${atlas.account.orgId}`,
      expect.stringContaining(`ok        sink files: directory ${deployment.tokensFolder} can be written`),
    ]);
    expect(deployment.tokenFiles()).toEqual([]);
    const runs = await client.workflow.count(`TaskQueue = '${deployment.taskQueue}'`);
    expect(runs.count).toBe(0);
  });

  it('prints with --json one object, whether all is ok or not', async () => {
    const deployment = await deploy({ atlas });
    const well = objectIn(await doctor(deployment, {}, '--json'))['findings'] as Finding[];
    expect(well.map(({ check, state }) => [check, state])).toEqual([
      ['Temporal', 'ok'],
      ['list of runs', 'ok'],
      [`task queue ${deployment.taskQueue}`, 'warning'],
      ['sealing keys', 'ok'],
      ['credential default', 'ok'],
      ['sink files', 'ok'],
    ]);

    rmdirSync(deployment.tokensFolder);
    const exit = await doctor(deployment, {}, '--json');
    expect(exit.code).toBe(1);
    expect(objectIn(exit)).toMatchObject({
      error: '1 error, 1 warning',
      findings: [
        ...well.slice(0, 5),
        {
          check: 'sink files',
          state: 'error',
          message: expect.stringContaining(
            `${deployment.tokensFolder} of the sink cannot be written (ENOENT): create it`,
          ),
        },
      ],
    });
  });

  it.each<[what: string, env: () => Promise<Record<string, string>>, message: RegExp]>([
    [
      'a wrong secret',
      () => Promise.resolve({ MONGODB_ATLAS_CLIENT_SECRET: newAccount().clientSecret }),
      /^error     credential default: Atlas returned 401 .*; check the service account's client id and secret/m,
    ],
    [
      'an Atlas that is not there',
      async () => ({ MONGODB_ATLAS_BASE_URL: `http://127.0.0.1:${await freePort()}` }),
      /^error     credential default: no connection to Atlas at \S+ \(ECONNREFUSED\)/m,
    ],
    [
      'a stopped Temporal',
      async () => ({ TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}` }),
      /^error     Temporal: cannot reach Temporal at 127\.0\.0\.1:\d+, namespace \S+ .*: start it, or correct TEMPORAL_/m,
    ],
    [
      'a namespace that is not there',
      () => Promise.resolve({ TEMPORAL_NAMESPACE: 'nowhere' }),
      /^error     Temporal: cannot reach Temporal at .*, namespace nowhere, .*not found.*: .*TEMPORAL_NAMESPACE/m,
    ],
    [
      'an API key of Temporal with a line end',
      () => Promise.resolve({ TEMPORAL_API_KEY: 'tmprl_CANARY\n' }),
      /^error     Temporal: cannot reach Temporal at .*\(the reason quotes a credential, which may hold a line end/m,
    ],
  ])('names %s and the remedy, goes on with the rest and exits with 1', async (_what, env, message) => {
    const deployment = await deploy({ atlas });
    const { code, stdout, stderr } = await doctor(deployment, await env());
    expect(stdout).toMatch(message);
    expect(stdout).not.toContain('CANARY');
    expect(stdout).toMatch(/^ok {8}sink files: /m);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^live-migration-prep: 1 error, [01] warnings?\n$/),
    });
  });

  it('names the permission that is missing to list runs, and exits with 1', async () => {
    const { address } = await sharedTemporal();
    const PERMISSION_DENIED = 7;
    const denied = /\/ListWorkflowExecutions$/;
    const proxy = await serveRejectingGrpcProxy(Number(address.split(':')[1]), denied, PERMISSION_DENIED);
    cleanUpLater(() => proxy.close());
    const deployment = await deploy({ atlas });
    const { code, stdout } = await doctor(deployment, { TEMPORAL_ADDRESS: `127.0.0.1:${proxy.port}` });
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^error {5}list of runs: Temporal refuses to list .*: grant the permission to list workflow executions/m,
    );
  });

  it.each<
    [what: string, env: Record<string, string>, prepare: (deployment: Deployment) => void, message: RegExp]
  >([
    [
      'a retention under 72 h',
      { TEMPORAL_NAMESPACE: 'default' },
      () => undefined,
      /^warning   Temporal: .* retains closed runs for 24 h: set at least 72 h.*temporal operator namespace update/m,
    ],
    [
      'a secret file that others can read',
      {},
      ({ keysFile }) => chmodSync(keysFile, 0o644),
      /^warning   configuration: file .*sealing-keys\.json can be read by others: run chmod o= on it/m,
    ],
    [
      'a task queue that no worker polls',
      {},
      () => undefined,
      /^warning   task queue (\S+): no worker polls task queue \1: start one/m,
    ],
  ])('warns of %s, and exits with 0', async (_what, env, prepare, message) => {
    const deployment = await deploy({ atlas });
    prepare(deployment);
    const { code, stdout, stderr } = await doctor(deployment, env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(message);
    expect(stdout).not.toMatch(/^error/m);
  });

  it('reports every problem of the configuration, and checks nothing else', async () => {
    const deployment = await deploy({ atlas, config: { colour: 'blue', sinks: { files: { type: 'fax' } } } });
    const before = atlas.requests().length;
    const exit = await doctor(deployment, {}, '--json');
    expect(exit.code).toBe(1);
    expect(objectIn(exit)['error']).toMatch(/2 problems:\n.*(fax|type).*\n.*colour|colour.*\n.*type/);
    expect(atlas.requests()).toHaveLength(before);
  });

  describe('--remote, which needs no configuration', () => {
    async function remotely(deployment: Deployment, ...options: string[]) {
      const exit = await deployment.runClient('doctor', '--remote', ...options);
      expectNoSecretIn(exit.stdout + exit.stderr, secretsOf(atlas, deployment));
      expect(atlas.requestsOn('linkTokens')).toEqual([]);
      return exit;
    }

    let running: Deployment;
    beforeAll(async () => {
      running = await deploy({ atlas });
      await running.startWorker();
    });

    it('reports what a worker found', async () => {
      expect(await remotely(running)).toEqual({
        code: 0,
        stderr: '',
        stdout: expect.stringMatching(
          /^nothing was changed, .*\nok {8}list of runs: .*\nok {8}sealing keys: .*\nok {8}credential default: accepted by Atlas.*\nok {8}sink files: directory .* can be written\n$/,
        ),
      });
    });

    it('names the credential of a worker that Atlas rejects', async () => {
      atlas.expire('accessTokens');
      atlas.faults({ on: 'oauth', status: 401, errorCode: 'invalid_client' });
      const { code, stdout, stderr } = await remotely(running);
      expect({ code, stderr }).toEqual({ code: 1, stderr: 'live-migration-prep: 1 error, 0 warnings\n' });
      expect(stdout).toMatch(
        /^error {5}credential default: Atlas returned 401 .*check the service account's/m,
      );
    });

    it('reports although the clock here is two minutes fast', async () => {
      const now = Date.now.bind(Date);
      jest.spyOn(Date, 'now').mockImplementation(() => now() + 120_000);
      try {
        expect(await remotely(running)).toMatchObject({ code: 0, stderr: '' });
      } finally {
        jest.restoreAllMocks();
      }
    });

    it('warns of an open circuit breaker, as a dry run does', async () => {
      const request = ['--org', atlas.account.orgId, '--ip', '192.31.196.7', '--sink', 'files'];
      atlas.faults({ on: 'oauth', status: 429, headers: { 'Retry-After': '86400' } });
      expect(await running.runClient('start', ...request, '--wait')).toMatchObject({ code: 1 });
      const warning =
        /^( {2})?warning {3}credential default: accepted by Atlas.*; but this worker sends no link-token request .* until 2\S+Z, after this error: Atlas returned 429 /m;
      const found = await remotely(running);
      expect(found).toMatchObject({ code: 0, stderr: '' });
      expect(found.stdout).toMatch(warning);
      const tried = await running.runClient('start', ...request, '--dry-run');
      expect(tried.stdout).toMatch(warning);
    });

    it('says that no worker polls the task queue', async () => {
      const deployment = await deploy({ atlas });
      expect(await remotely(deployment)).toEqual({
        code: 1,
        stdout: '',
        stderr: `live-migration-prep: no worker polls task queue ${deployment.taskQueue}: start one, or correct the name; a run stays on the task queue on which it was started\n`,
      });
    });
  });
});
