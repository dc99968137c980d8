import { execFileSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SinkUnavailableError, type Delivery } from '../../../src/sinks/sink';
import { newFolder } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { serveHttp } from '../../support/servers';
import { versionsAt, type Bao } from '../../support/sinks/bao';
import { newDelivery, successorOf } from '../../support/sinks/delivery';
import { blockOf } from '../../support/sinks/docs';
import { vaultFixture } from '../../support/sinks/fixtures/vault';
import { makeDelivering, makeSink, type Env } from '../../support/sinks/make-sink';
import { testContract } from './contract';

const fixture = testContract(vaultFixture);

let bao: Bao;
/** Holds a valid credential of each kind; tests spoil a copy. */
let env: Env;

beforeAll(async () => {
  ({ bao } = fixture());
  await bao.ask('POST', 'auth/approle/role/worker', { token_policies: 'worker', token_ttl: '1h' });
  const role = await bao.ask('GET', 'auth/approle/role/worker/role-id');
  const secret = await bao.ask('POST', 'auth/approle/role/worker/secret-id');
  env = {
    ...fixture().env,
    ROOT: bao.rootToken,
    ROLE_ID: String(role?.data['role_id']),
    SECRET_ID: String(secret?.data['secret_id']),
  };
});

const PATH = 'live-migration/{orgId}/{sourceOrgId}';
const TOKEN = { method: 'token', token: { env: 'VAULT_TOKEN' } };
const ROOT = { method: 'token', token: { env: 'ROOT' } };
const APP_ROLE = { method: 'appRole', roleId: { env: 'ROLE_ID' }, secretId: { env: 'SECRET_ID' } };
const SPOILED = { VAULT_TOKEN: 'canary-wrong', SECRET_ID: 'canary-wrong' };

const pathOf = ({ orgId, sourceOrgId }: Delivery) => `live-migration/${orgId}/${sourceOrgId}`;

const configOf = (overrides: object = {}) => ({
  type: 'vault',
  address: `http://127.0.0.1:${bao.port}`,
  allowHttp: true,
  path: PATH,
  auth: TOKEN,
  ...overrides,
});

const vault = (overrides?: object, of: Env = env) => makeDelivering(configOf(overrides), of);

const failure = (kind: 'Rejected' | 'Unavailable', message: RegExp) => ({
  name: `Sink${kind}Error`,
  message: expect.stringMatching(message),
});

/** Delivers, and tries again as Temporal does. */
function deliverAtLast(deliver: (delivery: Delivery) => Promise<string>, delivery: Delivery) {
  return eventually('a delivery', () =>
    deliver(delivery).catch((error: unknown) => {
      if (!(error instanceof SinkUnavailableError)) throw error;
      return null;
    }),
  );
}

it.each<[what: string, path: string, given: Partial<Delivery>]>([
  ['any text', PATH, { requestedBy: `Zoë\n\u0000\u{1FAE9} ${'漢'.repeat(190)}`, changeReference: '' }],
  [
    'only what is known, below any path',
    'live-migration/a=b+c@d_e.f-g/{orgId}',
    { sourceOrgId: null, requestedBy: null, changeReference: null },
  ],
])('writes the token and its facts: %s', async (_what, template, given) => {
  const delivery = newDelivery(given);
  const { token, ...facts } = delivery;
  const at = template
    .replace('{orgId}', delivery.orgId)
    .replace('{sourceOrgId}', String(delivery.sourceOrgId));
  const location = await (await vault({ path: template }))(delivery);
  expect(location).toContain(`secret/${at} version 1 in Vault at http`);
  const known = Object.entries(facts).filter(([, value]) => value !== null);
  expect(await versionsAt(bao, at)).toEqual([{ linkToken: token, ...Object.fromEntries(known) }]);
});

describe('what it does not overwrite', () => {
  it.each<[string, (delivery: Delivery) => object, RegExp]>([
    ['a value of someone else', () => ({ password: 'x' }), /holds a value that was not written by this sink/],
    [
      'the token of another source',
      ({ orgId }) => ({ ...newDelivery({ orgId }) }),
      /holds the token of other organizations: put \{orgId\} and \{sourceOrgId\} into path/,
    ],
    ['a newer token', (delivery) => ({ ...successorOf(delivery) }), /holds a newer token/],
  ])('%s', async (_what, present, message) => {
    const delivery = newDelivery();
    const data = present(delivery);
    await bao.ask('POST', `secret/data/${pathOf(delivery)}`, { data });
    await expect((await vault())(delivery)).rejects.toMatchObject(failure('Rejected', message));
    expect(await versionsAt(bao, pathOf(delivery))).toEqual([data]);
  });

  it('writes to a path whose last version was deleted', async () => {
    const delivery = newDelivery();
    await bao.ask('POST', `secret/data/${pathOf(delivery)}`, { data: { password: 'x' } });
    await bao.ask('DELETE', `secret/data/${pathOf(delivery)}`);
    await expect((await vault())(delivery)).resolves.toContain('version 2');
  });

  it('of two simultaneous tokens the newer ends on top, and neither is written twice', async () => {
    const older = newDelivery();
    const newer = successorOf(older);
    const deliver = await vault();
    const both = [older, newer, older, newer];
    const ends = await Promise.allSettled(both.map((delivery) => deliverAtLast(deliver, delivery)));
    const ids = (await versionsAt(bao, pathOf(older))).map((data) => data?.['deliveryId']);
    expect(ids.at(-1)).toBe(newer.deliveryId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ends.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThanOrEqual(2);
  });
});

const REFUSED_TOKEN =
  /responded with 403 to the token from environment variable VAULT_TOKEN: it is wrong, expired or revoked, or its policy denies the path; .* grant it create, read and update/;
const REFUSED_LOGIN = /login at auth\/approle responded with 400.*variable SECRET_ID/;

it.each([
  ['a token', TOKEN, REFUSED_TOKEN],
  ['an AppRole', APP_ROLE, REFUSED_LOGIN],
])('waits while %s is wrong, and uses the right one without a restart', async (_what, auth, message) => {
  const own = { ...env, ...SPOILED };
  const deliver = await vault({ auth }, own);
  const failing = deliver(newDelivery());
  await expect(failing).rejects.toMatchObject(failure('Unavailable', message));
  await expect(failing).rejects.not.toThrow('canary');
  Object.assign(own, env);
  await deliver(newDelivery());
});

describe('an AppRole', () => {
  /** Counts the tokens that logins got since then, and that are valid. */
  async function countLogins() {
    const list = async () =>
      ((await bao.ask('LIST', 'auth/token/accessors'))?.data['keys'] ?? []) as string[];
    const before = await list();
    return async () => (await list()).filter((accessor) => !before.includes(accessor));
  }

  it('logs in once for many deliveries, and again, in the same attempt, when its token was revoked', async () => {
    const logins = await countLogins();
    const deliver = await vault({ auth: APP_ROLE });
    await Promise.all(Array.from({ length: 10 }, () => deliver(newDelivery())));
    const [accessor, ...others] = await logins();
    expect(others).toEqual([]);
    await bao.ask('POST', 'auth/token/revoke-accessor', { accessor });
    await deliver(newDelivery());
  });

  it.each([
    ['100s', 90],
    ['1h', 59 * 60],
  ])('logs in again before a lease of %s ends, %i seconds after it began', async (token_ttl, renewAfterS) => {
    await bao.ask('POST', 'auth/approle/role/worker', { token_policies: 'worker', token_ttl });
    const logins = await countLogins();
    const deliver = await vault({ auth: APP_ROLE });
    const startMs = Date.now();
    const loginsAfter = async (seconds: number) => {
      const now = jest.spyOn(Date, 'now').mockReturnValue(startMs + seconds * 1000);
      await deliver(newDelivery()).finally(() => now.mockRestore());
      return (await logins()).length;
    };
    expect(await loginsAfter(0)).toBe(1);
    expect(await loginsAfter(renewAfterS - 1)).toBe(1);
    expect(await loginsAfter(renewAfterS)).toBe(2);
  });

  it('is rejected, after one more login, when its policy denies the path', async () => {
    const logins = await countLogins();
    const failing = (await vault({ auth: APP_ROLE, path: 'elsewhere/{orgId}' }))(newDelivery());
    const denied = /responded with 403: the policy denies it; grant create, read and update on secret\/data/;
    await expect(failing).rejects.toMatchObject(failure('Rejected', denied));
    expect(await logins()).toHaveLength(2);
  });

  it('waits while Vault is sealed, and so does a check', async () => {
    const delivery = newDelivery();
    const sink = await makeSink(configOf({ auth: APP_ROLE }), env);
    const { signal } = new AbortController();
    await bao.seal();
    const sealed = /login at auth\/approle responded with 503: it is sealed.*; it used the AppRole/;
    try {
      await expect(sink.deliver(delivery, signal)).rejects.toMatchObject(failure('Unavailable', sealed));
      await expect(sink.check?.(null, signal)).rejects.toThrow(sealed);
    } finally {
      await bao.unseal();
    }
    await sink.deliver(delivery, signal);
    expect(await versionsAt(bao, pathOf(delivery))).toHaveLength(1);
  });
});

describe('a check, for the command doctor', () => {
  const { signal } = new AbortController();
  it('reads the path, with made-up ids where no organization is known', async () => {
    const sink = await makeSink(configOf({ path: 'live-migration/{orgId}' }), env);
    expect(await sink.check?.(null, signal)).toBe(
      `Vault at http://127.0.0.1:${bao.port} accepts the token from environment variable VAULT_TOKEN, which may read secret/live-migration/${'0'.repeat(24)}`,
    );
  });

  it('logs in with the AppRole anew after a delivery', async () => {
    const own = { ...env };
    const sink = await makeSink(configOf({ auth: APP_ROLE }), own);
    await sink.deliver(newDelivery(), signal);
    expect(await sink.check?.(null, signal)).toMatch(/accepts the AppRole from .*, which may read secret/);
    Object.assign(own, SPOILED);
    await expect(sink.check?.(null, signal)).rejects.toThrow(REFUSED_LOGIN);
  });
});

describe('the server', () => {
  it.each<[string, number, string, string]>([
    ['a node that lags behind', 412, '{"errors":[]}', '412: this node lags behind'],
    ['a sealed node', 503, '{"errors":["Vault is sealed"]}', '503: it is sealed or down: unseal it'],
    ['a standby node', 307, '', '307: this node is on standby, and no node was active'],
    ['a lost body', 404, '', '404: the body of the response is missing'],
    ['an engine that is set up', 400, '{"errors":["Upgrading from non-versioned"]}', 'still being set up'],
  ])('%s is tried again', async (_what, status, body, message) => {
    let refused: string;
    const server = await serveHttp((request, response) => {
      response.setHeader('retry-after', '3');
      if (request.method === refused) response.writeHead(status).end(body);
      else response.writeHead(404).end('{"errors":[]}');
    });
    const deliver = await vault({ address: server.url });
    for (refused of ['GET', 'POST']) {
      const expected = { ...failure('Unavailable', /./), message: expect.stringContaining(message) };
      await expect(deliver(newDelivery())).rejects.toMatchObject({ ...expected, retryAfterMs: 3000 });
    }
  });

  it.each([
    ['a mount that is not there', { mount: 'nowhere' }, /no key\/value engine at nowhere/],
    ['a namespace that is not there', { namespace: 'nowhere' }, /correct mount or namespace/],
    ['an engine of version 1', { mount: 'old' }, /version 1 at old: delete what was written below old\/data/],
  ])('rejects %s', async (_what, overrides, message) => {
    // It may be there from the row before.
    await bao.ask('POST', 'sys/mounts/old', { type: 'kv', options: { version: '1' } }).catch(() => null);
    const failing = (await vault({ ...overrides, auth: ROOT }))(newDelivery());
    await expect(failing).rejects.toMatchObject(failure('Rejected', message));
  });

  it('rejects a page in place of Vault, and asks nobody to delete anything', async () => {
    const page = await serveHttp((_request, response) => response.end('<html>Sign in</html>'));
    await expect((await vault({ address: page.url }))(newDelivery())).rejects.toMatchObject(
      failure('Rejected', /responded with 200: this is not what was requested; check its address$/),
    );
  });
});

it('the commands of docs/sinks/vault.md, in a namespace, create an AppRole that can deliver there', async () => {
  await bao.ask('POST', 'sys/namespaces/team');
  const folder = newFolder();
  symlinkSync(bao.program, path.join(folder, 'vault'));
  writeFileSync(path.join(folder, 'live-migration-prep.hcl'), blockOf('vault', 'hcl'));
  const commands = `${blockOf('vault', 'sh')}\nprintenv VAULT_ROLE_ID VAULT_SECRET_ID`;
  const output = execFileSync('sh', ['-euc', commands], {
    cwd: folder,
    encoding: 'utf8',
    env: {
      PATH: `${folder}:${process.env['PATH']}`,
      HOME: folder,
      VAULT_ADDR: `http://127.0.0.1:${bao.port}`,
      VAULT_NAMESPACE: 'team',
      VAULT_TOKEN: bao.rootToken,
    },
  });
  const [ROLE_ID = '', SECRET_ID = ''] = output.trim().split('\n').slice(-2);
  const deliver = await vault({ namespace: 'team', auth: APP_ROLE }, { ROLE_ID, SECRET_ID });
  const delivery = newDelivery();
  // A new engine responds with 400 while it sets itself up, and a later attempt succeeds.
  expect(await deliverAtLast(deliver, delivery)).toContain('version 1');
  const written = await bao.ask('GET', `secret/data/${pathOf(delivery)}`, undefined, {
    'x-vault-namespace': 'team',
  });
  expect(written?.data['data']).toMatchObject({ linkToken: delivery.token });
});
