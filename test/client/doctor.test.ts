import { chmodSync, rmdirSync } from 'node:fs';
import { embeddedEnv } from '../../dev/embedded-env';
import { freePort } from '../../dev/free-port';
import { credentialEnv, newAccount, type TestAtlas } from '../support/atlas';
import { CLIENT, expectNoSecretIn, objectIn, secretsOf } from '../support/command-line';
import { runProgram, type Config, type Deployment } from '../support/deployment';
import { newOrgId } from '../support/ids';
import { deploy, sharedTemporal, startAtlas } from '../support/setting';

jest.setTimeout(60_000);

const HOUR_MS = 3_600_000;

let atlas: TestAtlas;

beforeAll(async () => {
  atlas = await startAtlas();
});

interface Finding {
  check: string;
  state: string;
  words: string;
}

/** Runs doctor where the worker's configuration and environment are. It creates nothing and shows no secret. */
async function doctor(deployment: Deployment, env: Record<string, string> = {}, ...options: string[]) {
  const { address } = await sharedTemporal();
  const environment = {
    ...embeddedEnv(address),
    MONGODB_ATLAS_BASE_URL: atlas.url,
    ...credentialEnv(atlas.account, 'serviceAccount'),
    ...env,
  };
  const command = [...options, 'doctor', '--config', deployment.configFile];
  const exit = await runProgram(CLIENT, command, environment);
  const wrongSecret = env['MONGODB_ATLAS_CLIENT_SECRET'];
  expectNoSecretIn(exit.stdout + exit.stderr, [
    ...secretsOf(atlas, deployment),
    ...(wrongSecret ? [wrongSecret] : []),
  ]);
  expect(atlas.createdTokens()).toEqual([]);
  expect(atlas.state().serviceAccounts).toEqual([
    expect.objectContaining({ liveAccessTokens: 0 }) as unknown,
  ]);
  return exit;
}

describe('doctor', () => {
  it('says of each part that it is well, changes nothing and exits with 0', async () => {
    const deployment = await deploy({ atlas });
    const exit = await doctor(deployment);
    const { address, client } = await sharedTemporal();
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    expect(exit.stdout.trim().split('\n')).toEqual([
      'looking only: nothing is changed and no link-token is created',
      `ok      Temporal: namespace default at ${address} keeps a closed run 24 h`,
      expect.stringMatching(/^ok {6}sealing keys: key \S+ seals and opens$/),
      `ok      credential default: Atlas takes it; it sees ${atlas.account.orgId}`,
      expect.stringContaining(`ok      sink files: directory ${deployment.tokensFolder} can be written`),
    ]);
    expect(deployment.tokenFiles()).toEqual([]);
    const runs = await client.workflow.count(`TaskQueue = '${deployment.taskQueue}'`);
    expect(runs.count).toBe(0);
  });

  it('prints with --json one object, whether all is well or not', async () => {
    const deployment = await deploy({ atlas });
    const well = objectIn(await doctor(deployment, {}, '--json'))['findings'] as Finding[];
    expect(well.map(({ check, state }) => [check, state])).toEqual([
      ['Temporal', 'ok'],
      ['sealing keys', 'ok'],
      ['credential default', 'ok'],
      ['sink files', 'ok'],
    ]);

    rmdirSync(deployment.tokensFolder);
    const exit = await doctor(deployment, {}, '--json');
    expect(exit.code).toBe(1);
    expect(objectIn(exit)).toMatchObject({
      error: '1 to mend',
      findings: [
        ...well.slice(0, 3),
        {
          check: 'sink files',
          state: 'problem',
          words: expect.stringContaining(
            `${deployment.tokensFolder} cannot be written (ENOENT): create it`,
          ) as unknown,
        },
      ],
    });
  });

  const mapped = (orgId: string): Config => ({
    atlas: { organizations: { [orgId]: { credential: 'default', sinks: ['files'] } } },
  });
  const unseen = newOrgId();

  it.each<[what: string, config: Config, env: () => Promise<Record<string, string>>, words: RegExp]>([
    [
      'a wrong secret',
      {},
      () => Promise.resolve({ MONGODB_ATLAS_CLIENT_SECRET: newAccount().clientSecret }),
      /^problem credential default: Atlas answered 401 .*; check the service account's client id and secret/m,
    ],
    [
      'an organization that its credential does not see',
      mapped(unseen),
      () => Promise.resolve({}),
      new RegExp(`^problem credential default: .* does not see ${unseen} .* name another`, 'm'),
    ],
    [
      'an Atlas that is not there',
      {},
      async () => ({ MONGODB_ATLAS_BASE_URL: `http://127.0.0.1:${await freePort()}` }),
      /^problem credential default: no connection to Atlas \(ECONNREFUSED\)/m,
    ],
    [
      'a stopped Temporal',
      {},
      async () => ({ TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}` }),
      /^problem Temporal: namespace default at 127\.0\.0\.1:\d+ cannot be reached .*: start it, or set TEMPORAL_/m,
    ],
    [
      'a namespace that is not there',
      {},
      () => Promise.resolve({ TEMPORAL_NAMESPACE: 'nowhere' }),
      /^problem Temporal: namespace nowhere at .* cannot be reached .*: start it, or set TEMPORAL_/m,
    ],
  ])('names %s and the mend, goes on with the rest and exits with 1', async (_what, config, env, words) => {
    const deployment = await deploy({ atlas, config });
    const { code, stdout, stderr } = await doctor(deployment, await env());
    expect(stdout).toMatch(words);
    expect(stdout).toMatch(/^ok {6}sink files: /m);
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'live-migration-prep: 1 to mend\n' });
  });

  it.each<[what: string, config: Config, prepare: (deployment: Deployment) => void, words: RegExp]>([
    [
      'a retention shorter than the delivery is tried',
      { retries: { deliver: { giveUpAfterMs: 48 * HOUR_MS } } },
      () => undefined,
      /^warning Temporal: .* keeps a closed run 24 h, less than the 48 h .*temporal operator namespace update/m,
    ],
    [
      'a secret file that others can read',
      {},
      ({ keysFile }) => chmodSync(keysFile, 0o644),
      /^warning configuration: file .*sealing-keys\.json can be read by others: chmod 600 it/m,
    ],
  ])('warns of %s, and exits with 1 too', async (_what, config, prepare, words) => {
    const deployment = await deploy({ atlas, config });
    prepare(deployment);
    const { code, stdout, stderr } = await doctor(deployment);
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'live-migration-prep: 1 to mend\n' });
    expect(stdout).toMatch(words);
    expect(stdout).not.toMatch(/^problem/m);
  });

  it('tells every problem of the configuration, and looks no further', async () => {
    const deployment = await deploy({ atlas, config: { colour: 'blue', sinks: { files: { type: 'fax' } } } });
    const before = atlas.requests().length;
    const exit = await doctor(deployment, {}, '--json');
    expect(exit.code).toBe(1);
    expect(objectIn(exit)['error']).toMatch(/2 problem\(s\):\n.*(fax|type).*\n.*colour|colour.*\n.*type/);
    expect(atlas.requests()).toHaveLength(before);
  });
});
