import { inspect } from 'node:util';
import type { AtlasEmulator } from '../../../dev/atlas-emulator';
import type { AdminApi, AdminApiOptions } from '../../../src/atlas/admin-api';
import {
  AtlasConnectionError,
  AtlasResponseError,
  CredentialNotConfiguredError,
} from '../../../src/atlas/errors';
import { classifyAtlasError } from '../../../src/atlas/outcomes';
import { VERSION } from '../../../src/http/version';
import { closingAfterEach } from '../../support/closing';
import { ADDRESSES, CREDENTIALS, KEY, ORG, atlasAt, create, secretOf, startEmulator } from './emulated';
import { serveHttp, type HttpHandler } from '../../support/servers';

const closing = closingAfterEach();
const KINDS = ['serviceAccount', 'apiKey'] as const;

async function start(
  kind: (typeof KINDS)[number],
  options?: Partial<AdminApiOptions>,
): Promise<[AdminApi, AtlasEmulator]> {
  const emulator = closing(await startEmulator());
  return [closing(atlasAt(emulator, CREDENTIALS[kind], options)), emulator];
}

describe.each(KINDS)('createLinkToken with a credential of the kind %s', (kind) => {
  it('returns the token that Atlas created, for the organization and the addresses', async () => {
    const [atlas, emulator] = await start(kind);
    const linkToken = await create(atlas);
    expect(emulator.createdTokens()).toMatchObject([{ linkToken, orgId: ORG, accessListIps: ADDRESSES }]);
  });

  it.each([
    ['envelope', { envelope: true }],
    ['pretty', { pretty: true }],
    ['both', { envelope: true, pretty: true }],
  ])('returns the same with %s', async (_what, options) => {
    const [atlas, emulator] = await start(kind, options);
    const linkToken = await create(atlas);
    expect(emulator.createdTokens()).toMatchObject([{ linkToken }]);
    const flags = Object.keys(options).map((name) => `${name}=true`);
    expect(emulator.requestsOn('linkTokens').at(-1)?.path).toMatch(
      new RegExp(`/linkTokens\\?${flags.join('&')}$`),
    );
  });

  it.each([
    [400, 'IPV6_UNSUPPORTED'],
    [401, 'NOT_ORG_OWNER'],
    [402, 'ACCOUNT_SUSPENDED'],
    [403, 'IP_ADDRESS_NOT_ON_ACCESS_LIST'],
    [404, 'ORG_NOT_FOUND'],
    [429, 'RATE_LIMITED'],
    [500, 'UNEXPECTED_ERROR'],
  ])('throws the status inside an envelope: %i %s', async (status, errorCode) => {
    const [atlas, emulator] = await start(kind, { envelope: true });
    emulator.faults({ on: 'linkTokens', status, errorCode });
    await expect(create(atlas)).rejects.toMatchObject({
      name: 'AtlasResponseError',
      status,
      body: { errorCode },
    });
    expect(emulator.createdTokens()).toEqual([]);
  });

  it('renews what has run out behind an envelope too', async () => {
    const [atlas, emulator] = await start(kind, { envelope: true });
    await create(atlas);
    emulator.expire('accessTokens');
    emulator.expire('nonces');
    await create(atlas);
    expect(emulator.createdTokens()).toHaveLength(2);
  });

  it('sends nothing when it was aborted beforehand', async () => {
    const [atlas, emulator] = await start(kind);
    const reason = new Error('stopped');
    await expect(create(atlas, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(emulator.requests()).toEqual([]);
  });

  it('returns the token although it was aborted while the POST was under way', async () => {
    const [atlas, emulator] = await start(kind);
    emulator.faults({ on: 'linkTokens', afterCreating: true, delayMs: 300 });
    const abort = new AbortController();
    const creating = create(atlas, abort.signal);
    while (emulator.createdTokens().length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort(new Error('stopped'));
    await expect(creating).resolves.toBe(emulator.createdTokens()[0]?.linkToken);
  });

  it('needs, once warm, one request for each of a thousand tokens', async () => {
    const [atlas, emulator] = await start(kind);
    await create(atlas);
    const before = emulator.requests().length;
    for (let round = 0; round < 100; round++) {
      await Promise.all(Array.from({ length: 10 }, () => create(atlas)));
    }
    expect(emulator.createdTokens()).toHaveLength(1001);
    expect((emulator.requests().length - before) / 1000).toBeLessThanOrEqual(1.01);
  });
});

describe('createLinkToken', () => {
  /** The signed POST as the server saw it. */
  async function postSentBy(kind: (typeof KINDS)[number], orgId = ORG) {
    const posts: { headers: Record<string, unknown>; method?: string; url?: string; text: string }[] = [];
    const server = closing(
      await serveHttp(({ url = '', method = '', headers, text }, response) => {
        if (url.startsWith('/api/oauth/')) response.end('{"access_token":"bearer","expires_in":3600}');
        else if (!headers.authorization) {
          response.writeHead(401, { 'WWW-Authenticate': 'Digest realm="r", nonce="n", qop="auth"' }).end();
        } else {
          posts.push({ method, url, headers: { ...headers, host: 'Atlas' }, text });
          response.end('{"linkToken":"token"}');
        }
      }),
    );
    const atlas = closing(atlasAt(server, CREDENTIALS[kind]));
    const { signal } = new AbortController();
    await expect(atlas.createLinkToken(orgId, ADDRESSES, 'default', signal)).resolves.toBe('token');
    expect(posts).toHaveLength(1);
    return posts[0];
  }

  it('sends the addresses in the media type of the published operation', async () => {
    const { headers, ...post } = (await postSentBy('serviceAccount')) ?? {};
    expect(post).toEqual({
      method: 'POST',
      url: `/api/atlas/v2/orgs/${ORG}/liveMigrations/linkTokens`,
      text: JSON.stringify({ accessListIps: ADDRESSES }),
    });
    expect(headers).toMatchObject({
      accept: 'application/vnd.atlas.2023-01-01+json',
      'content-type': 'application/vnd.atlas.2023-01-01+json',
      authorization: 'Bearer bearer',
      'user-agent': `live-migration-prep/${VERSION}`,
    });
  });

  it('sends the same with an API key but for the Authorization header', async () => {
    const unsigned = ({ headers, ...post }: Awaited<ReturnType<typeof postSentBy>> & object) => {
      const { authorization, ...others } = headers;
      return { ...post, headers: others, scheme: String(authorization).split(' ')[0] };
    };
    const [bearer, digest] = [await postSentBy('serviceAccount'), await postSentBy('apiKey')];
    expect(digest && unsigned(digest)).toEqual({ ...(bearer && unsigned(bearer)), scheme: 'Digest' });
  });

  it.each(KINDS)('of an id that is no organization stays below its path: %s', async (kind) => {
    const post = await postSentBy(kind, 'ffffffffffffffffffffffff/apiKeys?x=#../..');
    expect(post?.url).toBe(
      '/api/atlas/v2/orgs/ffffffffffffffffffffffff%2FapiKeys%3Fx%3D%23..%2F../liveMigrations/linkTokens',
    );
  });

  it.each([
    ['200', { status: 200 }],
    ['another content type', { contentType: 'text/plain' }],
    ['more than was requested', { status: 201, body: { linkToken: 'x', extra: 1 } }],
  ])('treats %s with a token as success', async (_what, fault) => {
    const [atlas, emulator] = await start('serviceAccount');
    emulator.faults({ on: 'linkTokens', ...fault });
    await expect(create(atlas)).resolves.toMatch(/./);
  });

  it.each([
    ['no token', { status: 201, body: {} }],
    ['an empty token', { status: 201, body: { linkToken: '' } }],
    ['a token that is no text', { status: 201, body: { linkToken: 5 } }],
    ['null', { status: 201, body: null }],
    ['a page', { status: 200, html: true }],
    ['nothing', { status: 200, body: '' }],
  ])('throws a success that holds %s', async (_what, fault) => {
    const [atlas, emulator] = await start('serviceAccount');
    emulator.faults({ on: 'linkTokens', ...fault });
    await expect(create(atlas)).rejects.toMatchObject({
      name: 'AtlasResponseError',
      endpoint: 'linkTokens',
      status: fault.status,
    });
  });

  it('accepts a token of nearly a mebibyte, and throws a response that is longer', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    const linkToken = 'x'.repeat(1_000_000);
    emulator.faults([
      { on: 'linkTokens', status: 201, body: { linkToken } },
      { on: 'linkTokens', status: 201, body: { linkToken: linkToken + linkToken } },
    ]);
    await expect(create(atlas)).resolves.toBe(linkToken);
    await expect(create(atlas)).rejects.toMatchObject({ name: 'AtlasResponseError', status: 201 });
  });

  it('survives an error that is a page, and reads how long to wait', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    emulator.faults({ on: 'linkTokens', html: true, status: 503, headers: { 'Retry-After': '30' } });
    await expect(create(atlas)).rejects.toMatchObject({ status: 503, body: {}, retryAfterMs: 30_000 });
  });

  it.each([
    ['an envelope without content', '{"status":500}', 500],
    ['a status that is none', '{"status":5,"content":{}}', 201],
  ])('reads %s', async (_what, body, status) => {
    const server = closing(
      await serveHttp(({ url }, response) => {
        if (url === '/api/oauth/token') response.end('{"access_token":"t","expires_in":3600}');
        else response.writeHead(201).end(body);
      }),
    );
    const atlas = closing(atlasAt(server, CREDENTIALS.serviceAccount, { envelope: true }));
    await expect(create(atlas)).rejects.toMatchObject({ status });
  });

  it('knows only the credentials that are configured', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    const { signal } = new AbortController();
    const error: unknown = await atlas.createLinkToken(ORG, [], 'other', signal).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(CredentialNotConfiguredError);
    expect(classifyAtlasError(error, 'linkTokens')).toMatchObject({ retryable: true, tokenMayExist: false });
    expect(emulator.requests()).toEqual([]);
  });
});

describe('no error of the client shows a secret', () => {
  const SECRETS = ['CANARY-secret', 'CANARY-bearer', 'CANARY-private', 'CANARY-token'];
  const ACCESS_TOKEN = '{"access_token":"CANARY-bearer","expires_in":3600}';
  const CREATED = '{"linkToken":"CANARY-token"}';

  const credentials = {
    serviceAccount: {
      type: 'serviceAccount',
      clientId: secretOf('mdb_sa_id_1'),
      clientSecret: secretOf('CANARY-secret'),
    },
    apiKey: {
      type: 'apiKey',
      publicKey: secretOf(KEY.publicKey),
      privateKey: secretOf('CANARY-private'),
    },
  } as const;

  const RESPONSES: [what: string, respond: HttpHandler][] = [
    ['refuses', (_request, response) => response.writeHead(403).end('{"errorCode":"X","detail":"No."}')],
    ['fails', (_request, response) => response.writeHead(500).end()],
    ['redirects', (_request, response) => response.writeHead(302, { Location: 'http://127.0.0.1:1/' }).end()],
    [
      'names the token otherwise',
      (_request, response) => response.writeHead(201).end(CREATED.replace('linkT', 't')),
    ],
    ['cuts its JSON short', (_request, response) => response.writeHead(201).end(CREATED.slice(0, -1))],
    [
      'cuts its body short',
      (_request, response) => {
        response.writeHead(201, { 'Content-Length': 99 }).write(CREATED, () => response.destroy());
      },
    ],
    ['resets', (request) => request.socket.resetAndDestroy()],
    ['hangs', () => undefined],
    ['speaks no HTTP', (request) => request.socket.end(`${CREATED}\r\n\r\n`)],
    [
      'sends headers too long',
      (_request, response) => response.writeHead(201, { 'X-Token': 'CANARY-token'.repeat(5000) }).end(),
    ],
  ];

  describe.each(KINDS)('%s', (kind) => {
    it.each(RESPONSES)('when Atlas %s', async (_what, respond) => {
      const server = closing(
        await serveHttp((request, response) => {
          if (request.url?.startsWith('/api/oauth/')) response.end(ACCESS_TOKEN);
          else if (!request.headers.authorization) {
            response.writeHead(401, { 'WWW-Authenticate': 'Digest realm="r", nonce="n", qop="auth"' }).end();
          } else respond(request, response);
        }),
      );
      const atlas = closing(atlasAt(server, credentials[kind], { requestTimeoutMs: 300 }));
      expectNoSecretIn(await errorOf(create(atlas)));
    });
  });

  it.each(RESPONSES)('when the token endpoint %s', async (_what, respond) => {
    const server = closing(await serveHttp(respond));
    const atlas = closing(atlasAt(server, credentials.serviceAccount, { requestTimeoutMs: 300 }));
    expectNoSecretIn(await errorOf(create(atlas)));
  });

  it.each([
    ['a client secret', { ...credentials.serviceAccount, clientSecret: secretOf('CANARY-secret\n') }],
    ['a private key', { ...credentials.apiKey, privateKey: secretOf('CANARY-private\r\nX: y') }],
    ['a public key', { ...credentials.apiKey, publicKey: secretOf('CANARY-private\r\nX: y') }],
  ])('when %s would break a header', async (_what, credential) => {
    const server = closing(
      await serveHttp((_request, response) => {
        response.writeHead(401, { 'WWW-Authenticate': 'Digest realm="r", nonce="n", qop="auth"' }).end();
      }),
    );
    expectNoSecretIn(await errorOf(create(closing(atlasAt(server, credential)))));
  });

  async function errorOf(work: Promise<unknown>): Promise<unknown> {
    return work.then(
      () => {
        throw new Error('it did not fail');
      },
      (error: unknown) => error,
    );
  }

  function expectNoSecretIn(error: unknown): void {
    expect(error instanceof AtlasResponseError || error instanceof AtlasConnectionError).toBe(true);
    const shown = [(error as Error).message, inspect(error, { showHidden: true, depth: 10 })].join('\n');
    const basic = Buffer.from('mdb_sa_id_1:CANARY-secret').toString('base64');
    for (const secret of [...SECRETS, basic.slice(0, 30)]) expect(shown).not.toContain(secret);
  }
});

describe('visibleOrganizations', () => {
  it.each(KINDS)('lists what a credential of the kind %s can see, and creates nothing', async (kind) => {
    const [atlas, emulator] = await start(kind);
    await expect(atlas.visibleOrganizations('default')).resolves.toEqual([ORG]);
    expect(emulator.createdTokens()).toEqual([]);
  });

  it.each([
    ['an error', { status: 403 }],
    ['a page', { status: 200, html: true }],
  ])('throws %s', async (_what, fault) => {
    const [atlas, emulator] = await start('serviceAccount');
    emulator.faults({ on: 'orgs', ...fault });
    await expect(atlas.visibleOrganizations('default')).rejects.toMatchObject({
      endpoint: 'orgs',
      status: fault.status,
    });
  });
});
