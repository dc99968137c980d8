import { execFileSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SinkRejectedError, SinkUnavailableError, type Delivery } from '../../../src/sinks/sink';
import { newFolder } from '../../support/clean-up';
import { eventually } from '../../support/eventually';
import { serveHttp, type TestServer } from '../../support/servers';
import { newWorkerToken, prepareForWorker, startBao, versionsAt, type Bao } from '../../support/sinks/bao';
import { newDelivery, successorOf } from '../../support/sinks/delivery';
import { blockOf } from '../../support/sinks/docs';
import { makeSink, type Env } from '../../support/sinks/make-sink';
import { sinkTestTools } from '../../support/sinks/tools';

let bao: Bao;
const env: Env = {};

beforeAll(async () => {
  bao = await startBao(sinkTestTools().bao);
  await prepareForWorker(bao);
  env['VAULT_TOKEN'] = await newWorkerToken(bao);
  env['ROOT'] = bao.rootToken;
}, 300_000);
afterAll(() => bao.stop());

const TOKEN_AUTH = { method: 'token', token: { env: 'VAULT_TOKEN' } };
const pathOf = ({ orgId, sourceOrgId }: Delivery) => `live-migration/${orgId}/${sourceOrgId}`;

function vaultSink(overrides: object = {}, of: Env = env) {
  const config = {
    type: 'vault',
    address: `http://127.0.0.1:${bao.port}`,
    allowHttp: true,
    path: 'live-migration/{orgId}/{sourceOrgId}',
    auth: TOKEN_AUTH,
    ...overrides,
  };
  return makeSink(config, of);
}

async function vault(overrides: object = {}) {
  const sink = await vaultSink(overrides);
  return (delivery: Delivery) => sink.deliver(delivery, new AbortController().signal);
}

describe('what it writes', () => {
  it('stores the token and its facts', async () => {
    const delivery = newDelivery();
    const path = pathOf(delivery);
    expect(await (await vault())(delivery)).toMatch(new RegExp(`^secret/${path} version 1 in Vault at http`));
    const { token, ...facts } = delivery;
    expect(await versionsAt(bao, path)).toEqual([{ linkToken: token, ...facts }]);
  });

  it('leaves out a source organization that was not named', async () => {
    const delivery = newDelivery({ sourceOrgId: null });
    const deliver = await vault({ path: 'live-migration/{orgId}' });
    await deliver(delivery);
    const { token, ...facts } = delivery;
    expect(await versionsAt(bao, `live-migration/${delivery.orgId}`)).toEqual([
      { linkToken: token, ...facts, sourceOrgId: undefined },
    ]);
  });

  it('stores any text of a requester whole', async () => {
    const requestedBy = `Zoë\n\u0000\u{1FAE9} ${'漢'.repeat(190)}`;
    const delivery = newDelivery({ requestedBy, changeReference: '' });
    const deliver = await vault();
    await deliver(delivery);
    expect(await versionsAt(bao, pathOf(delivery))).toMatchObject([{ requestedBy, changeReference: '' }]);
  });

  it('leaves out a requester and a change that were not named', async () => {
    const delivery = newDelivery({ requestedBy: null, changeReference: null });
    await (
      await vault()
    )(delivery);
    const [data] = await versionsAt(bao, pathOf(delivery));
    expect(data).not.toHaveProperty('requestedBy');
    expect(data).not.toHaveProperty('changeReference');
  });

  it('writes to a path with every character that the configuration permits', async () => {
    const deliver = await vault({ path: 'live-migration/a=b+c@d_e.f-g/{orgId}' });
    const delivery = newDelivery();
    await expect(deliver(delivery)).resolves.toContain('version 1');
    expect(await versionsAt(bao, `live-migration/a=b+c@d_e.f-g/${delivery.orgId}`)).toHaveLength(1);
  });
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
    const delivering = (await vault())(delivery);
    await expect(delivering).rejects.toThrow(SinkRejectedError);
    await expect(delivering).rejects.toThrow(message);
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
    /** Tries again as Temporal does. */
    const deliverAtLast = async (delivery: Delivery): Promise<string> =>
      deliver(delivery).catch((error: unknown) => {
        if (error instanceof SinkUnavailableError) return deliverAtLast(delivery);
        throw error;
      });
    const ends = await Promise.allSettled([older, newer, older, newer].map(deliverAtLast));
    const ids = (await versionsAt(bao, pathOf(older))).map((data) => data?.['deliveryId']);
    expect(ids.at(-1)).toBe(newer.deliveryId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ends.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThanOrEqual(2);
  });
});

describe('authentication', () => {
  const auth = { method: 'appRole', roleId: { env: 'ROLE_ID' }, secretId: { env: 'SECRET_ID' } };

  it('waits for a valid token when its own has expired, and uses it without a restart', async () => {
    const deliver = await vault();
    const valid = env['VAULT_TOKEN'] ?? '';
    const expired = await newWorkerToken(bao);
    await bao.ask('POST', 'auth/token/revoke', { token: expired });
    env['VAULT_TOKEN'] = expired;
    const failing = deliver(newDelivery());
    await expect(failing).rejects.toThrow(SinkUnavailableError);
    await expect(failing).rejects.toThrow(
      /responded with 403 to the token from environment variable VAULT_TOKEN: it is wrong, expired or revoked/,
    );
    await expect(failing).rejects.not.toThrow(expired);
    env['VAULT_TOKEN'] = valid;
    await deliver(newDelivery());
  });

  it('waits at a path that the policy of its token denies, and says what to grant', async () => {
    const failing = (await vault({ path: 'elsewhere/{orgId}' }))(newDelivery());
    await expect(failing).rejects.toThrow(SinkUnavailableError);
    await expect(failing).rejects.toThrow(
      /or its policy denies the path; .* grant it create, read and update/,
    );
  });

  describe('check, for the command doctor', () => {
    const check = async (overrides: object = {}, of: Env = env) => {
      const sink = await vaultSink({ path: 'live-migration/{orgId}', ...overrides }, of);
      return sink.check?.(null, new AbortController().signal);
    };

    it('reads the path, with made-up ids where no organization is known', async () => {
      expect(await check()).toBe(
        `Vault at http://127.0.0.1:${bao.port} accepts the token from environment variable VAULT_TOKEN, which may read secret/live-migration/${'0'.repeat(24)}`,
      );
    });

    it('fails for a path that the policy denies', async () => {
      await expect(check({ path: 'elsewhere/{orgId}' })).rejects.toThrow(/or its policy denies the path/);
    });

    it('fails for a token that Vault does not accept', async () => {
      await expect(check({}, { VAULT_TOKEN: 'canary-wrong' })).rejects.toThrow(
        /responded with 403 to the token from environment variable VAULT_TOKEN: it is wrong, expired or revoked/,
      );
    });

    it('fails while Vault is sealed', async () => {
      await bao.seal();
      try {
        await expect(check()).rejects.toThrow(/responded with 503/);
      } finally {
        await bao.unseal();
      }
    });

    it('logs in with an AppRole', async () => {
      await expect(check({ auth }, { ROLE_ID: 'x', SECRET_ID: 'canary-wrong' })).rejects.toThrow(
        /login at auth\/approle responded with 400/,
      );
    });
  });

  describe('with an AppRole', () => {
    beforeAll(async () => {
      await bao.ask('POST', 'auth/approle/role/worker', { token_policies: 'worker', token_ttl: '1h' });
      const role = await bao.ask('GET', 'auth/approle/role/worker/role-id');
      const secret = await bao.ask('POST', 'auth/approle/role/worker/secret-id');
      env['ROLE_ID'] = String(role?.data['role_id']);
      env['SECRET_ID'] = String(secret?.data['secret_id']);
    });

    async function tokens(): Promise<string[]> {
      const list = await bao.ask('LIST', 'auth/token/accessors');
      return (list?.data['keys'] ?? []) as string[];
    }

    it('logs in once for many deliveries', async () => {
      const before = (await tokens()).length;
      const deliver = await vault({ auth });
      await Promise.all(Array.from({ length: 10 }, () => deliver(newDelivery())));
      expect((await tokens()).length).toBe(before + 1);
    });

    it('logs in again, in the same attempt, when its token was revoked', async () => {
      const before = new Set(await tokens());
      const deliver = await vault({ auth });
      await deliver(newDelivery());
      for (const accessor of await tokens()) {
        if (!before.has(accessor)) await bao.ask('POST', 'auth/token/revoke-accessor', { accessor });
      }
      await deliver(newDelivery());
    });

    it('logs in again before a short lease ends', async () => {
      await bao.ask('POST', 'auth/approle/role/worker', { token_policies: 'worker', token_ttl: '1s' });
      const deliver = await vault({ auth });
      await deliver(newDelivery());
      await new Promise((resolve) => setTimeout(resolve, 950));
      await deliver(newDelivery());
      await bao.ask('POST', 'auth/approle/role/worker', { token_policies: 'worker', token_ttl: '1h' });
    });

    it('checks the AppRole anew after a delivery', async () => {
      const own = { ...env };
      const sink = await vaultSink({ auth }, own);
      const { signal } = new AbortController();
      await sink.deliver(newDelivery(), signal);
      expect(await sink.check?.(null, signal)).toMatch(/accepts the AppRole from .*, which may read secret/);
      own['SECRET_ID'] = 'canary-wrong';
      await expect(sink.check?.(null, signal)).rejects.toThrow(/login at auth\/approle responded with 400/);
    });

    it('names a sealed Vault as such', async () => {
      await bao.seal();
      try {
        const failing = (await vault({ auth }))(newDelivery());
        await expect(failing).rejects.toThrow(SinkUnavailableError);
        await expect(failing).rejects.toThrow(
          /login at auth\/approle responded with 503: it is sealed or down: unseal it; it used the AppRole/,
        );
      } finally {
        await bao.unseal();
      }
    });

    it('rejects a denied path after one more login, and says what to grant', async () => {
      const failing = (await vault({ auth, path: 'elsewhere/{orgId}' }))(newDelivery());
      await expect(failing).rejects.toThrow(SinkRejectedError);
      await expect(failing).rejects.toThrow(
        /responded with 403: the policy denies it; grant create, read and update on secret\/data/,
      );
    });

    it('waits for a valid secret id', async () => {
      const deliver = await vault({ auth });
      const valid = env['SECRET_ID'] ?? '';
      env['SECRET_ID'] = 'canary-wrong';
      const failing = deliver(newDelivery());
      await expect(failing).rejects.toThrow(SinkUnavailableError);
      await expect(failing).rejects.toThrow(/login at auth\/approle responded with 400.*variable SECRET_ID/);
      await expect(failing).rejects.not.toThrow('canary');
      env['SECRET_ID'] = valid;
      await deliver(newDelivery());
    });
  });
});

describe('the commands of docs/sinks/vault.md', () => {
  it('create an AppRole that can deliver what the policy permits', async () => {
    const fresh = await startBao(sinkTestTools().bao);
    const folder = newFolder();
    try {
      symlinkSync(sinkTestTools().bao, path.join(folder, 'vault'));
      writeFileSync(path.join(folder, 'live-migration-prep.hcl'), blockOf('vault', 'hcl'));
      const commands = `${blockOf('vault', 'sh')}\nprintenv VAULT_ROLE_ID VAULT_SECRET_ID`;
      const output = execFileSync('sh', ['-euc', commands], {
        cwd: folder,
        encoding: 'utf8',
        env: {
          PATH: `${folder}:${process.env['PATH']}`,
          HOME: folder,
          VAULT_ADDR: `http://127.0.0.1:${fresh.port}`,
          VAULT_TOKEN: fresh.rootToken,
        },
      });
      const [roleId = '', secretId = ''] = output.trim().split('\n').slice(-2);
      const sink = await makeSink(
        {
          ...{ type: 'vault', address: `http://127.0.0.1:${fresh.port}`, allowHttp: true },
          path: 'live-migration/{orgId}/{sourceOrgId}',
          auth: { method: 'appRole', roleId: { env: 'VAULT_ROLE_ID' }, secretId: { env: 'VAULT_SECRET_ID' } },
        },
        { VAULT_ROLE_ID: roleId, VAULT_SECRET_ID: secretId },
      );
      const delivery = newDelivery();
      const { signal } = new AbortController();
      expect(await sink.deliver(delivery, signal)).toContain('version 1');
      expect(await sink.deliver(successorOf(delivery), signal)).toContain('version 2');
    } finally {
      await fresh.stop();
    }
  }, 60_000);
});

describe('the server', () => {
  const auth = { method: 'token', token: { env: 'ROOT' } };

  it('waits while it is sealed', async () => {
    const delivery = newDelivery();
    const deliver = await vault();
    await bao.seal();
    const failing = deliver(delivery);
    await expect(failing).rejects.toThrow(SinkUnavailableError);
    await expect(failing).rejects.toThrow(/responded with 503: it is sealed or down: unseal it/);
    await bao.unseal();
    await deliver(delivery);
    expect(await versionsAt(bao, pathOf(delivery))).toHaveLength(1);
  });

  describe.each(['GET', 'POST'])('a temporary refusal of a %s', (method) => {
    let status: number;
    let body: string;
    let server: TestServer;
    beforeAll(async () => {
      server = await serveHttp((request, response) => {
        response.setHeader('retry-after', '3');
        if (request.method === method) response.writeHead(status).end(body);
        else response.writeHead(404).end('{"errors":[]}');
      });
    });
    afterAll(() => server.close());

    it.each<[string, number, string, string]>([
      ['a node that lags behind', 412, '{"errors":[]}', '412: this node lags behind'],
      ['a standby node', 307, '', '307: this node is on standby, and no node was active'],
      ['a lost body', 404, '', '404: the body of the response is missing'],
      ['an engine that is set up', 400, '{"errors":["Upgrading from non-versioned"]}', 'still being set up'],
    ])('%s is tried again', async (_what, ...response) => {
      let message: string;
      [status, body, message] = response;
      await expect((await vault({ address: server.url }))(newDelivery())).rejects.toMatchObject({
        name: 'SinkUnavailableError',
        message: expect.stringContaining(message),
        retryAfterMs: 3000,
      });
    });
  });

  it('recognises its version after a restart of the server', async () => {
    const delivery = newDelivery();
    const deliver = await vault();
    await deliver(delivery);
    await bao.kill();
    await bao.restart();
    await expect(deliver(delivery)).resolves.toContain('version 1');
  });

  it('rejects a mount that is not there, and a namespace', async () => {
    await expect((await vault({ mount: 'nowhere', auth }))(newDelivery())).rejects.toThrow(
      /no key\/value engine at nowhere/,
    );
    await expect((await vault({ namespace: 'nowhere', auth }))(newDelivery())).rejects.toThrow(
      /correct mount or namespace/,
    );
  });

  it('uses the namespace', async () => {
    await bao.ask('POST', 'sys/namespaces/team');
    const inTeam = { 'x-vault-namespace': 'team' };
    await bao.ask('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } }, inTeam);
    const delivery = newDelivery();
    const deliver = await vault({ namespace: 'team', auth });
    // A new engine responds with 400 while it sets itself up, and a later attempt succeeds.
    await eventually('a delivery', () =>
      deliver(delivery).then(
        () => true,
        (error: unknown) => {
          if (error instanceof SinkUnavailableError) return false;
          throw error;
        },
      ),
    );
    const written = await bao.ask('GET', `secret/data/${pathOf(delivery)}`, undefined, inTeam);
    expect(written?.data['data']).toMatchObject({ linkToken: delivery.token });
  });

  it('rejects an engine of version 1, and names what to delete', async () => {
    await bao.ask('POST', 'sys/mounts/old', { type: 'kv', options: { version: '1' } });
    const failing = (await vault({ mount: 'old', auth }))(newDelivery());
    await expect(failing).rejects.toThrow(SinkRejectedError);
    await expect(failing).rejects.toThrow(/version 1 at old: delete what was written below old\/data/);
  });

  it('rejects a page in place of Vault, and asks nobody to delete anything', async () => {
    const page = await serveHttp((_request, response) => response.end('<html>Sign in</html>'));
    const failing = (await vault({ address: page.url }))(newDelivery());
    await expect(failing).rejects.toThrow(SinkRejectedError);
    await expect(failing).rejects.toThrow(
      /responded with 200: this is not what was requested; check its address$/,
    );
    await page.close();
  });
});
