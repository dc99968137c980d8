import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { PrepareRequest } from '../../../src/contract/schemas';
import { SinkUnavailableError, type Delivery } from '../../../src/sinks/sink';
import { startBao } from '../../support/bao';
import { newFolder } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { LONG_ROUNDS, startSystem } from '../../support/installation';
import { codeBlocks, page } from '../../support/markdown';
import { endingOf, untilDeliveryFails } from '../../support/runs';
import { findSecrets, textPlace } from '../../support/secrecy';
import { serveHttp } from '../../support/servers';
import { makeSink, newDelivery, sinkError, successorOf, type Env } from '../../support/sinks';
import { startTcpProxy } from '../../support/tcp-proxy';
import { testContract, testRun } from './contract';

const PAGE = page('docs/sinks/vault.md');
const [APP_ROLE_AGENT = '', POLICY = ''] = codeBlocks(PAGE, 'hcl');
const TOKEN = { env: 'VAULT_TOKEN' };
const ROOT = { env: 'ROOT' };

type Organizations = Pick<PrepareRequest, 'orgId' | 'sourceOrgId'>;

const pathOf = ({ orgId, sourceOrgId }: Organizations) => `live-migration/${orgId}/${sourceOrgId}`;

/** OpenBao, in which the policy of docs/sinks/vault.md permits what the sink does. */
const fixture = testContract('vault', async () => {
  const bao = await startBao();
  const proxy = await startTcpProxy(bao.host);
  await bao.ask('POST', 'sys/mounts/old', { type: 'kv', options: { version: '1' } });
  await bao.ask('PUT', 'sys/policies/acl/worker', { policy: POLICY });
  const created = await bao.ask('POST', 'auth/token/create', { policies: ['worker'] });
  const env: Env = {
    ROOT: bao.rootToken,
    VAULT_TOKEN: String(created?.auth.client_token),
  };
  return {
    bao,
    keepsFormer: true,
    configFor: () => ({
      type: 'vault',
      address: `http://${proxy.address}`,
      allowHttp: true,
      path: 'live-migration/{orgId}/{sourceOrgId}',
      token: TOKEN,
    }),
    env,
    canaries: Object.values(env),
    locationOf: (delivery) =>
      `secret/${pathOf(delivery)} version 1 in Vault at http://${proxy.address}`,
    async held(delivery) {
      const versions = await bao.versionsAt(pathOf(delivery));
      return versions.map(({ linkToken }) => String(linkToken));
    },
    refuse: (delivery) =>
      bao.ask('POST', `secret/data/${pathOf(delivery)}`, { data: { password: 'of someone else' } }),
    proxy,
    write: /^POST \/v1\/secret\/data/,
  };
});
testRun('vault');

/** Holds valid tokens; tests spoil a copy. */
const vault = (overrides: object = {}, env = fixture().env) =>
  makeSink({ ...fixture().configFor(), ...overrides }, env);

/** Delivers, and tries again as Temporal does. */
function deliverAtLast({ deliver }: Awaited<ReturnType<typeof makeSink>>, delivery: Delivery) {
  return eventually('a delivery', () =>
    deliver(delivery).catch((error: unknown) => {
      if (!(error instanceof SinkUnavailableError)) throw error;
      return null;
    }),
  );
}

it('writes the token with its facts below any path', async () => {
  const delivery = newDelivery({
    sourceOrgId: null,
    requestedBy: null,
    changeReference: `Zoë\n\u0000\u{1FAE9} ${'漢'.repeat(190)}`,
  });
  const { sourceOrgId: _none, requestedBy: _unknown, ...facts } = delivery;
  const folder = 'live-migration/a=b+c@d_e.f-g';
  const { deliver } = await vault({ path: `${folder}/{orgId}` });
  expect(await deliver(delivery)).toContain(
    `secret/${folder}/${delivery.orgId} version 1 in Vault at http`,
  );
  const versions = await fixture().bao.versionsAt(`${folder}/${delivery.orgId}`);
  expect(versions).toEqual([facts]);
});

const OTHER_SOURCE =
  /holds the token of other organizations: put \{orgId\} and \{sourceOrgId\} into path/;

describe('a path', () => {
  it.each<[string, (delivery: Delivery) => object, RegExp]>([
    [
      'a value of someone else',
      () => ({ password: 'x' }),
      /holds a value that was not written by this sink/,
    ],
    ['the token of another source', ({ orgId }) => newDelivery({ orgId }), OTHER_SOURCE],
    ['a newer token', successorOf, /holds a newer token/],
  ])('that holds %s is not overwritten', async (_what, makeSecret, message) => {
    const { bao } = fixture();
    const delivery = newDelivery();
    const data = makeSecret(delivery);
    await bao.ask('POST', `secret/data/${pathOf(delivery)}`, { data });
    const { deliver } = await vault();
    await expect(deliver(delivery)).rejects.toMatchObject(sinkError('Rejected', message));
    expect(await bao.versionsAt(pathOf(delivery))).toEqual([data]);
  });

  it('whose last version was deleted is written to', async () => {
    const { bao } = fixture();
    const delivery = newDelivery();
    await bao.ask('POST', `secret/data/${pathOf(delivery)}`, { data: { password: 'x' } });
    await bao.ask('DELETE', `secret/data/${pathOf(delivery)}`);
    const { deliver } = await vault();
    await expect(deliver(delivery)).resolves.toContain('version 2');
  });

  it('ends with the newer of two simultaneous tokens, and neither is written twice', async () => {
    const older = newDelivery();
    const newer = successorOf(older);
    const sink = await vault();
    const four = [older, newer, older, newer].map((delivery) => deliverAtLast(sink, delivery));
    // The older one is rejected once the newer one is there.
    const [, first, , second] = await Promise.allSettled(four);
    expect([first, second]).toMatchObject([{ status: 'fulfilled' }, { status: 'fulfilled' }]);
    const ids = (await fixture().bao.versionsAt(pathOf(older))).map(({ deliveryId }) => deliveryId);
    expect(ids.at(-1)).toBe(newer.deliveryId);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

const REFUSED_TOKEN =
  /, secret\/data\/\S+ responded with 403: the token from environment variable VAULT_TOKEN is wrong, expired or revoked, or its policy denies the path; .* grant create, read and update on the path\. Then "live-migration-prep doctor --remote" checks .* "live-migration-prep redeliver" delivers$/;

it('waits while its token is wrong, and uses the right one without a restart', async () => {
  const env = { ...fixture().env, VAULT_TOKEN: 'canary-wrong' };
  const { deliver, check } = await vault({}, env);
  for (const work of [() => deliver(newDelivery()), () => check()]) {
    await expect(work()).rejects.toMatchObject(sinkError('Unavailable', REFUSED_TOKEN));
    await expect(work()).rejects.not.toThrow('canary');
  }
  Object.assign(env, fixture().env);
  await deliver(newDelivery());
});

it('waits while the policy of its token denies the path', async () => {
  const { deliver } = await vault({ path: 'elsewhere/{orgId}' });
  await expect(deliver(newDelivery())).rejects.toMatchObject(
    sinkError('Unavailable', REFUSED_TOKEN),
  );
});

it('waits while Vault is sealed, and a check says so', async () => {
  const { bao } = fixture();
  const { deliver, check } = await vault();
  const delivery = newDelivery();
  await bao.seal();
  const sealed = /responded with 503: it is sealed or down: unseal it/;
  try {
    await expect(deliver(delivery)).rejects.toMatchObject(sinkError('Unavailable', sealed));
    await expect(check()).rejects.toThrow(sealed);
  } finally {
    await bao.unseal();
  }
  await deliver(delivery);
});

it('a check reads a path of made-up ids', async () => {
  const { check } = await vault({ path: 'live-migration/{orgId}' });
  expect(await check()).toBe(
    `Vault at http://${fixture().proxy.address} accepts the token from environment variable` +
      ` VAULT_TOKEN, which may read secret/live-migration/${'0'.repeat(24)}`,
  );
});

const VERSION_2 = '{"data":{"type":"kv","options":{"version":"2"}}}';

describe('the server:', () => {
  it.each<[string, number, string, string]>([
    ['a node that lags behind', 412, '{"errors":[]}', '412: this node lags behind'],
    ['a standby node', 307, '', '307: this node is on standby, and no node was active'],
    ['a lost body', 404, '', '404: the body of the response is missing'],
    [
      'an engine that is set up',
      400,
      '{"errors":["Upgrading from non-versioned"]}',
      'still being set up',
    ],
  ])('%s is tried again', async (_what, status, body, message) => {
    let method: string;
    const server = await serveHttp((request, response) => {
      response.setHeader('retry-after', '3');
      if (request.method === method) response.writeHead(status).end(body);
      else if (request.url?.startsWith('/v1/sys/')) response.end(VERSION_2);
      else response.writeHead(404).end('{"errors":[]}');
    });
    const { deliver } = await vault({ address: server.url });
    for (method of ['GET', 'POST']) {
      const expected = sinkError('Unavailable', new RegExp(message));
      await expect(deliver(newDelivery())).rejects.toMatchObject({
        ...expected,
        retryAfterMs: 3000,
      });
    }
  });

  it.each([
    ['a mount that does not exist', { mount: 'nowhere' }, /no key\/value engine at nowhere/],
    ['a namespace that does not exist', { namespace: 'nowhere' }, /correct mount or namespace/],
  ])('%s is rejected', async (_what, overrides, message) => {
    const { deliver } = await vault({ ...overrides, token: ROOT });
    await expect(deliver(newDelivery())).rejects.toMatchObject(sinkError('Rejected', message));
  });

  it('an engine of version 1 is rejected, in a check too, and gets nothing', async () => {
    const { deliver, check } = await vault({ mount: 'old', token: ROOT });
    const message =
      /type kv, version 1, at old: run vault kv enable-versioning old, or correct mount/;
    const delivery = newDelivery();
    await expect(check()).rejects.toMatchObject(sinkError('Rejected', message));
    await expect(deliver(delivery)).rejects.toMatchObject(sinkError('Rejected', message));
    expect(await fixture().bao.ask('LIST', 'old/')).toBeNull();
    await fixture().bao.ask('POST', `old/data/${pathOf(delivery)}`, {
      password: 'of someone else',
    });
    await expect(deliver(delivery)).rejects.toMatchObject(sinkError('Rejected', message));
  });

  it('the error says what to delete after version 1 replaced an engine of version 2', async () => {
    const { bao } = fixture();
    await bao.ask('POST', 'sys/mounts/replaced', { type: 'kv', options: { version: '2' } });
    const sink = await vault({ mount: 'replaced', token: ROOT });
    await deliverAtLast(sink, newDelivery());
    await bao.ask('DELETE', 'sys/mounts/replaced');
    await bao.ask('POST', 'sys/mounts/replaced', { type: 'kv', options: { version: '1' } });
    const message =
      /now has another engine at replaced: delete what was written to replaced\/data\/live/;
    await expect(sink.deliver(newDelivery())).rejects.toMatchObject(sinkError('Rejected', message));
  });

  it('it gets no token until it names version 2, and is asked once', async () => {
    let [status, body] = [200, VERSION_2];
    const [questions, writes]: [string[], string[]] = [[], []];
    const server = await serveHttp(({ url = '', method }, response) => {
      if (url.startsWith('/v1/sys/')) {
        questions.push(url);
        response.writeHead(status).end(body);
      } else if (method === 'POST') {
        writes.push(url);
        response.end('{"data":{"version":1}}');
      } else response.writeHead(404).end('{"errors":[]}');
    });
    const sink = await vault({ address: server.url });
    for ([status, body] of [
      [403, '{"errors":["permission denied"]}'],
      [404, '{"errors":[]}'],
      [200, '<html>Sign in</html>'],
      [200, String.raw`{"data":{"type":"\u001b[2J","options":null}}`],
      // A token that is echoed as the type is not quoted.
      [200, '{"data":{"type":"s.4tokenOfOpenBao","options":null}}'],
      [503, ''],
    ] as const) {
      const message = new RegExp(
        `mounts/secret responded with ${status} but .*: grant the worker read on sys/int`,
      );
      for (const work of [() => sink.deliver(newDelivery()), () => sink.check()]) {
        await expect(work()).rejects.toMatchObject(sinkError('Unavailable', message));
      }
    }
    expect(writes).toEqual([]);
    [status, body] = [200, VERSION_2];
    const before = questions.length;
    for (const delivery of [newDelivery(), newDelivery()]) await sink.deliver(delivery);
    expect(writes).toHaveLength(2);
    expect(questions.slice(before)).toEqual(['/v1/sys/internal/ui/mounts/secret']);
  });

  it('a page in place of Vault is rejected, without advice to delete anything', async () => {
    const { url } = await serveHttp((_request, response) => response.end('<html>Sign in</html>'));
    const { deliver } = await vault({ address: url });
    const message = /responded with 200: this is not the expected response; check its address$/;
    await expect(deliver(newDelivery())).rejects.toMatchObject(sinkError('Rejected', message));
  });
});

describe('docs/sinks/vault.md', () => {
  const inNamespace = { 'x-vault-namespace': 'platform' };
  let folder: string;

  /** Runs the commands of the page in a namespace of their own, in OpenBao. */
  beforeAll(async () => {
    const { bao } = fixture();
    await bao.ask('POST', 'sys/namespaces/platform');
    folder = newFolder();
    symlinkSync(bao.program, path.join(folder, 'vault'));
    writeFileSync(path.join(folder, 'live-migration-prep.hcl'), POLICY);
    execFileSync('sh', ['-euc', codeBlocks(PAGE, 'sh').join('')], {
      cwd: folder,
      env: {
        PATH: `${folder}:${process.env['PATH']}`,
        HOME: folder,
        VAULT_ADDR: `http://${bao.host}`,
        VAULT_NAMESPACE: 'platform',
        VAULT_TOKEN: bao.rootToken,
      },
    });
  });

  /** Reads the token that the namespace holds for a delivery. */
  async function heldInNamespace(organizations: Organizations): Promise<unknown> {
    const secret = await fixture().bao.ask(
      'GET',
      `secret/data/${pathOf(organizations)}`,
      undefined,
      inNamespace,
    );
    return (secret?.data['data'] as Record<string, unknown>)['linkToken'];
  }

  it('configures an Agent whose next token lets a waiting run deliver', async () => {
    const { bao } = fixture();
    const tokenFile = path.join(folder, 'agent-token');
    const configFile = path.join(folder, 'vault-agent.hcl');
    const config = APP_ROLE_AGENT.replace('https://vault.example.com:8200', `http://${bao.host}`)
      .replace('/run/live-migration-prep/vault-token', tokenFile)
      .replaceAll('/etc/vault-agent', folder);
    writeFileSync(configFile, config);
    const setLifetime = (lifetime: string) => {
      const role = {
        token_policies: 'live-migration-prep',
        token_ttl: lifetime,
        token_max_ttl: lifetime,
      };
      return bao.ask('POST', 'auth/approle/role/live-migration-prep', role, inNamespace);
    };
    const isExpired = async (token: string) => {
      const headers = { ...inNamespace, 'x-vault-token': token };
      const response = await fetch(`http://${bao.host}/v1/auth/token/lookup-self`, { headers });
      return response.status === 403;
    };

    await setLifetime('1s');
    const firstAgent = bao.startAgent(configFile);
    await eventually('a token of the Agent', () => existsSync(tokenFile));
    await firstAgent.end('SIGTERM');
    const expired = readFileSync(tokenFile, 'utf8');
    await eventually('the end of its life', () => isExpired(expired));

    const sinks = {
      it: { ...fixture().configFor(), namespace: 'platform', token: { file: tokenFile } },
    };
    const { atlas, installation, worker } = await startSystem({
      config: { ...LONG_ROUNDS, sinks },
    });
    const request = installation.newRequest({ sink: 'it' });
    const handle = await installation.start(request);
    expect(await untilDeliveryFails(handle)).toMatch(
      `responded with 403: the token from file ${tokenFile} is wrong`,
    );

    await setLifetime('1h');
    bao.startAgent(configFile);
    expect(await endingOf(handle)).toMatchObject({ type: 'delivered' });
    const [{ linkToken } = { linkToken: '' }] = atlas.createdTokens();
    expect(await heldInNamespace(request)).toBe(linkToken);
    const renewed = readFileSync(tokenFile, 'utf8');
    const secrets = new Map(
      [linkToken, expired, renewed].map((secret, index) => [`secret ${index}`, secret]),
    );
    expect(findSecrets([textPlace('the log', worker.output())], secrets)).toEqual([]);
  });
});
