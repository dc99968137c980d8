import { execFileSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SinkUnavailableError, type Delivery } from '../../../src/sinks/sink';
import { startBao } from '../../support/bao';
import { newFolder } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { codeBlocks, page } from '../../support/markdown';
import { serveHttp } from '../../support/servers';
import { makeSink, newDelivery, sinkError, successorOf, type Env } from '../../support/sinks';
import { startTcpProxy } from '../../support/tcp-proxy';
import { testContract, testRun } from './contract';

const [POLICY = ''] = codeBlocks(page('docs/sinks/vault.md'), 'hcl');
const TOKEN = { method: 'token', token: { env: 'VAULT_TOKEN' } };
const ROOT = { method: 'token', token: { env: 'ROOT' } };
const APP_ROLE = { method: 'appRole', roleId: { env: 'ROLE_ID' }, secretId: { env: 'SECRET_ID' } };

const pathOf = ({ orgId, sourceOrgId }: Delivery) => `live-migration/${orgId}/${sourceOrgId}`;

/** OpenBao, in which the policy of docs/sinks/vault.md permits what the sink does. */
const fixture = testContract(async () => {
  const bao = await startBao();
  const proxy = await startTcpProxy(bao.host);
  await bao.ask('POST', 'sys/mounts/old', { type: 'kv', options: { version: '1' } });
  await bao.ask('PUT', 'sys/policies/acl/worker', { policy: POLICY });
  const created = await bao.ask('POST', 'auth/token/create', { policies: ['worker'] });
  await bao.ask('POST', 'auth/approle/role/worker', { token_policies: 'worker', token_ttl: '1h' });
  const role = await bao.ask('GET', 'auth/approle/role/worker/role-id');
  const secret = await bao.ask('POST', 'auth/approle/role/worker/secret-id');
  const env: Env = {
    ROOT: bao.rootToken,
    VAULT_TOKEN: String(created?.auth.client_token),
    ROLE_ID: String(role?.data['role_id']),
    SECRET_ID: String(secret?.data['secret_id']),
  };
  return {
    bao,
    keepsFormer: true,
    configFor: () => ({
      type: 'vault',
      address: `http://${proxy.address}`,
      allowHttp: true,
      path: 'live-migration/{orgId}/{sourceOrgId}',
      auth: TOKEN,
    }),
    env,
    canaries: Object.values(env),
    locationOf: (delivery) => `secret/${pathOf(delivery)} version 1 in Vault at http://${proxy.address}`,
    async held(delivery) {
      const versions = await bao.versionsAt(pathOf(delivery));
      return versions.map(({ linkToken }) => String(linkToken));
    },
    refuse: (delivery) => bao.ask('POST', `secret/data/${pathOf(delivery)}`, { data: { password: 'of someone else' } }),
    proxy,
    write: /^POST \/v1\/secret\/data/,
  };
});
testRun(fixture);

/** Holds a valid credential of each kind; tests spoil a copy. */
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

it('writes the token and what is known of it, below any path', async () => {
  const delivery = newDelivery({
    sourceOrgId: null,
    requestedBy: null,
    changeReference: `Zoë\n\u0000\u{1FAE9} ${'漢'.repeat(190)}`,
  });
  const { sourceOrgId: _none, requestedBy: _unknown, ...known } = delivery;
  const folder = 'live-migration/a=b+c@d_e.f-g';
  const { deliver } = await vault({ path: `${folder}/{orgId}` });
  expect(await deliver(delivery)).toContain(`secret/${folder}/${delivery.orgId} version 1 in Vault at http`);
  const versions = await fixture().bao.versionsAt(`${folder}/${delivery.orgId}`);
  expect(versions).toEqual([known]);
});

const OTHER_SOURCE = /holds the token of other organizations: put \{orgId\} and \{sourceOrgId\} into path/;

describe('a path', () => {
  it.each<[string, (delivery: Delivery) => object, RegExp]>([
    ['a value of someone else', () => ({ password: 'x' }), /holds a value that was not written by this sink/],
    ['the token of another source', ({ orgId }) => newDelivery({ orgId }), OTHER_SOURCE],
    ['a newer token', successorOf, /holds a newer token/],
  ])('that holds %s is not overwritten', async (_what, present, message) => {
    const { bao } = fixture();
    const delivery = newDelivery();
    const data = present(delivery);
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
  /responded with 403 to the token from environment variable VAULT_TOKEN: it is wrong, expired or revoked, or its policy denies the path; .* grant it create, read and update/;
const REFUSED_LOGIN = /login at auth\/approle responded with 400.*variable SECRET_ID/;

it.each([
  ['a token', TOKEN, REFUSED_TOKEN],
  ['an AppRole', APP_ROLE, REFUSED_LOGIN],
])('waits while %s is wrong, and uses the right one without a restart', async (_what, auth, message) => {
  const env = { ...fixture().env, VAULT_TOKEN: 'canary-wrong', SECRET_ID: 'canary-wrong' };
  const { deliver } = await vault({ auth }, env);
  const failing = deliver(newDelivery());
  await expect(failing).rejects.toMatchObject(sinkError('Unavailable', message));
  await expect(failing).rejects.not.toThrow('canary');
  Object.assign(env, fixture().env);
  await deliver(newDelivery());
});

describe('an AppRole', () => {
  /** Lists the tokens that are valid; a login gets one. */
  async function accessors(): Promise<string[]> {
    const list = await fixture().bao.ask('LIST', 'auth/token/accessors');
    return list?.data['keys'] as string[];
  }

  it.each([
    ['100s', 90],
    ['1h', 59 * 60],
  ])(
    'logs in for a lease of %s once in %i s, and again in the same attempt after a 403',
    async (token_ttl, renewAfterS) => {
      const { bao } = fixture();
      await bao.ask('POST', 'auth/approle/role/worker', { token_policies: 'worker', token_ttl });
      const before = await accessors();
      const logins = async () => (await accessors()).filter((accessor) => !before.includes(accessor));
      const { deliver } = await vault({ auth: APP_ROLE });
      const startMs = Date.now();
      const loginsAfter = async (seconds: number) => {
        const now = jest.spyOn(Date, 'now').mockReturnValue(startMs + seconds * 1000);
        await deliver(newDelivery()).finally(() => now.mockRestore());
        return (await logins()).length;
      };
      for (const seconds of [0, renewAfterS - 1]) expect(await loginsAfter(seconds)).toBe(1);
      expect(await loginsAfter(renewAfterS)).toBe(2);
      for (const accessor of await logins()) {
        await bao.ask('POST', 'auth/token/revoke-accessor', { accessor });
      }
      expect(await loginsAfter(renewAfterS)).toBe(1);
    },
  );

  it('that is refused is sent again after 15 minutes, a change or by a check, so that Vault does not lock it', async () => {
    const { bao, proxy } = fixture();
    await bao.ask('POST', 'auth/approle/role/lockable', { token_policies: 'worker' });
    const role = await bao.ask('GET', 'auth/approle/role/lockable/role-id');
    const secret = await bao.ask('POST', 'auth/approle/role/lockable/secret-id');
    const env = { ROLE_ID: String(role?.data['role_id']), SECRET_ID: 'canary-refused' };
    const [one, other] = [await vault({ auth: APP_ROLE }, env), await vault({ auth: APP_ROLE }, env)];
    const before = proxy.requests.length;
    const logins = () => proxy.requests.slice(before).filter((line) => line.includes('/login ')).length;
    const startMs = Date.now();
    const nowIs = (minutes: number) => jest.spyOn(Date, 'now').mockReturnValue(startMs + minutes * 60_000);
    const refusal = (status: number, minutes: number) => {
      const until = new Date(startMs + minutes * 60_000).toISOString();
      return new RegExp(`responded with ${status}: .*; no delivery tries these values again before ${until}, but`);
    };
    try {
      nowIs(0);
      const ten = Array.from({ length: 10 }, (_, index) => (index % 2 ? one : other).deliver(newDelivery()));
      for (const outcome of await Promise.allSettled(ten)) {
        expect(outcome).toMatchObject({ reason: sinkError('Unavailable', refusal(400, 15)) });
      }
      nowIs(14);
      await expect(one.deliver(newDelivery())).rejects.toThrow(refusal(400, 15));
      expect(logins()).toBe(1);
      nowIs(15);
      await expect(other.deliver(newDelivery())).rejects.toThrow(refusal(400, 30));
      expect(logins()).toBe(2);
      // Two checks at once, as of two sinks, send one login.
      for (const sent of [3, 4, 5]) {
        for (const outcome of await Promise.allSettled([one.check(), other.check()])) {
          expect(outcome).toMatchObject({ reason: sinkError('Rejected', refusal(400, 30)) });
        }
        expect(logins()).toBe(sent);
      }

      env.SECRET_ID = String(secret?.data['secret_id']);
      const locked = /has locked the role after failed logins.* sys\/locked-users\/<accessor/;
      await expect(one.deliver(newDelivery())).rejects.toMatchObject(sinkError('Unavailable', locked));
      const methods = await bao.ask('GET', 'sys/auth');
      const { accessor } = methods?.data['approle/'] as { accessor: string };
      execFileSync(bao.program, ['write', '-force', `sys/locked-users/${accessor}/unlock/${env.ROLE_ID}`], {
        env: { VAULT_ADDR: `http://${bao.host}`, VAULT_TOKEN: bao.rootToken },
      });
      await expect(other.deliver(newDelivery())).rejects.toThrow(refusal(403, 30));
      expect(logins()).toBe(6);
      await other.check();
      await one.deliver(newDelivery());
      expect(logins()).toBe(8);
    } finally {
      jest.restoreAllMocks();
    }
  });

  it('is rejected, after one more login, when its policy denies the path', async () => {
    const before = await accessors();
    const { deliver } = await vault({ auth: APP_ROLE, path: 'elsewhere/{orgId}' });
    const denied = /responded with 403: the policy denies it; grant create, read and update on secret\/data/;
    await expect(deliver(newDelivery())).rejects.toMatchObject(sinkError('Rejected', denied));
    expect(await accessors()).toHaveLength(before.length + 2);
  });

  it('waits while Vault is sealed, and so does a check', async () => {
    const { bao } = fixture();
    const { deliver, check } = await vault({ auth: APP_ROLE });
    const delivery = newDelivery();
    await bao.seal();
    const sealed = /login at auth\/approle responded with 503: it is sealed.*; it used the AppRole/;
    try {
      await expect(deliver(delivery)).rejects.toMatchObject(sinkError('Unavailable', sealed));
      await expect(check()).rejects.toThrow(sealed);
    } finally {
      await bao.unseal();
    }
    await deliver(delivery);
  });

  it('is not that of another namespace, or of another path of the same server', async () => {
    const logins: string[] = [];
    const server = await serveHttp(({ url = '', headers }, response) => {
      if (url.endsWith('/login')) {
        logins.push(`${String(headers['x-vault-namespace'])} ${url}`);
        response.writeHead(400).end('{"errors":[]}');
      }
    });
    for (const place of [
      { address: server.url, namespace: 'a' },
      { address: server.url, namespace: 'b' },
      { address: `${server.url}/below`, namespace: 'b' },
    ]) {
      const { deliver } = await vault({ auth: APP_ROLE, ...place });
      await expect(deliver(newDelivery())).rejects.toThrow('login at auth/approle responded with 400');
    }
    expect(logins).toEqual(['a /v1/auth/approle/login', 'b /v1/auth/approle/login', 'b /below/v1/auth/approle/login']);
  });

  it('that gets a token which no header can hold waits, and says that this is not Vault', async () => {
    const login = { auth: { client_token: 'canary\ntoken', lease_duration: 60 } };
    const { url } = await serveHttp((_request, response) => response.end(JSON.stringify(login)));
    const { deliver } = await vault({ auth: APP_ROLE, address: url });
    const message = /login at auth\/approle responded with 200: this is not the expected response; check its add/;
    await expect(deliver(newDelivery())).rejects.toMatchObject(sinkError('Unavailable', message));
  });

  it('logs in anew for a check, which reads a path of made-up ids', async () => {
    const env = { ...fixture().env };
    const { deliver, check } = await vault({ auth: APP_ROLE, path: 'live-migration/{orgId}' }, env);
    await deliver(newDelivery());
    expect(await check()).toBe(
      `Vault at http://${fixture().proxy.address} accepts the AppRole from environment variable ROLE_ID and environment variable SECRET_ID, which may read secret/live-migration/${'0'.repeat(24)}`,
    );
    env['SECRET_ID'] = 'wrong';
    await expect(check()).rejects.toThrow(REFUSED_LOGIN);
  });
});

const VERSION_2 = '{"data":{"type":"kv","options":{"version":"2"}}}';

describe('the server', () => {
  it.each<[string, number, string, string]>([
    ['a node that lags behind', 412, '{"errors":[]}', '412: this node lags behind'],
    ['a standby node', 307, '', '307: this node is on standby, and no node was active'],
    ['a lost body', 404, '', '404: the body of the response is missing'],
    ['an engine that is set up', 400, '{"errors":["Upgrading from non-versioned"]}', 'still being set up'],
  ])('%s is tried again', async (_what, status, body, message) => {
    let refused: string;
    const server = await serveHttp((request, response) => {
      response.setHeader('retry-after', '3');
      if (request.method === refused) response.writeHead(status).end(body);
      else if (request.url?.startsWith('/v1/sys/')) response.end(VERSION_2);
      else response.writeHead(404).end('{"errors":[]}');
    });
    const { deliver } = await vault({ address: server.url });
    for (refused of ['GET', 'POST']) {
      const expected = sinkError('Unavailable', new RegExp(message));
      await expect(deliver(newDelivery())).rejects.toMatchObject({ ...expected, retryAfterMs: 3000 });
    }
  });

  it.each([
    ['a mount that is not there', { mount: 'nowhere' }, /no key\/value engine at nowhere/],
    ['a namespace that is not there', { namespace: 'nowhere' }, /correct mount or namespace/],
  ])('rejects %s', async (_what, overrides, message) => {
    const { deliver } = await vault({ ...overrides, auth: ROOT });
    await expect(deliver(newDelivery())).rejects.toMatchObject(sinkError('Rejected', message));
  });

  it('rejects an engine of version 1, in a check too, and writes nothing', async () => {
    const { deliver, check } = await vault({ mount: 'old', auth: ROOT });
    const message = /type kv, version 1, at old: run vault kv enable-versioning old, or correct mount/;
    const delivery = newDelivery();
    await expect(check()).rejects.toMatchObject(sinkError('Rejected', message));
    await expect(deliver(delivery)).rejects.toMatchObject(sinkError('Rejected', message));
    expect(await fixture().bao.ask('LIST', 'old/')).toBeNull();
    await fixture().bao.ask('POST', `old/data/${pathOf(delivery)}`, { password: 'of someone else' });
    await expect(deliver(delivery)).rejects.toMatchObject(sinkError('Rejected', message));
  });

  it('says what to delete when an engine of version 1 took the place of one of version 2', async () => {
    const { bao } = fixture();
    await bao.ask('POST', 'sys/mounts/replaced', { type: 'kv', options: { version: '2' } });
    const sink = await vault({ mount: 'replaced', auth: ROOT });
    await deliverAtLast(sink, newDelivery());
    await bao.ask('DELETE', 'sys/mounts/replaced');
    await bao.ask('POST', 'sys/mounts/replaced', { type: 'kv', options: { version: '1' } });
    const message = /now has another engine at replaced: delete what was written to replaced\/data\/live/;
    await expect(sink.deliver(newDelivery())).rejects.toMatchObject(sinkError('Rejected', message));
  });

  it('is written to only once it has named version 2, for which it is asked once', async () => {
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
    const sink = await vault({ address: server.url, auth: TOKEN });
    for ([status, body] of [
      [403, '{"errors":["permission denied"]}'],
      [404, '{"errors":[]}'],
      [200, '<html>Sign in</html>'],
      [503, ''],
    ] as const) {
      const message = new RegExp(`mounts/secret responded with ${status} but .*: grant the worker read on sys/int`);
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

  it('rejects a page in place of Vault, and asks nobody to delete anything', async () => {
    const { url } = await serveHttp((_request, response) => response.end('<html>Sign in</html>'));
    const { deliver } = await vault({ address: url });
    const message = /responded with 200: this is not the expected response; check its address$/;
    await expect(deliver(newDelivery())).rejects.toMatchObject(sinkError('Rejected', message));
  });
});

it('the commands of docs/sinks/vault.md, in a namespace, create an AppRole that can deliver there', async () => {
  const { bao } = fixture();
  await bao.ask('POST', 'sys/namespaces/team');
  const folder = newFolder();
  symlinkSync(bao.program, path.join(folder, 'vault'));
  writeFileSync(path.join(folder, 'live-migration-prep.hcl'), POLICY);
  const [commands = ''] = codeBlocks(page('docs/sinks/vault.md'), 'sh');
  const output = execFileSync('sh', ['-euc', `${commands}\nprintenv VAULT_ROLE_ID VAULT_SECRET_ID`], {
    cwd: folder,
    encoding: 'utf8',
    env: {
      PATH: `${folder}:${process.env['PATH']}`,
      HOME: folder,
      VAULT_ADDR: `http://${bao.host}`,
      VAULT_NAMESPACE: 'team',
      VAULT_TOKEN: bao.rootToken,
    },
  });
  const [ROLE_ID = '', SECRET_ID = ''] = output.trim().split('\n').slice(-2);
  const sink = await vault({ namespace: 'team', auth: APP_ROLE }, { ROLE_ID, SECRET_ID });
  const delivery = newDelivery();
  // A new engine responds with 400 while it sets itself up, and a later attempt succeeds.
  expect(await deliverAtLast(sink, delivery)).toContain('version 1');
  const [at, inTeam] = [`secret/data/${pathOf(delivery)}`, { 'x-vault-namespace': 'team' }];
  const written = await bao.ask('GET', at, undefined, inTeam);
  expect(written?.data['data']).toMatchObject({ linkToken: delivery.linkToken });
});
