import type { IncomingMessage } from 'node:http';
import { inspect } from 'node:util';
import { AtlasError } from '../../../src/atlas/outcomes';
import { VERSION } from '../../../src/version';
import { serveHttp, type HttpHandler } from '../../support/servers';
import { rejectionOf } from '../rejection';
import {
  ACCOUNT,
  ADDRESSES,
  CREDENTIALS,
  KEY,
  KINDS,
  ORG,
  atlasAt,
  closing,
  create,
  failedWith,
  secretOf,
  start,
  type Kind,
} from './emulated';

const CHALLENGE = { 'WWW-Authenticate': 'Digest realm="r", nonce="n", qop="auth"' };

/** Grants each access token and challenges what is not signed; the handler responds to the rest. */
async function serveAtlas(respond: HttpHandler) {
  const server = await serveHttp((request, response) => {
    if (request.url?.startsWith('/api/oauth/'))
      response.end('{"access_token":"CANARY-bearer","expires_in":3600}');
    else if (!request.headers.authorization) response.writeHead(401, CHALLENGE).end();
    else respond(request, response);
  });
  return closing(server);
}

describe.each(KINDS)('createLinkToken with a credential of the kind %s', (kind) => {
  it('returns the token that Atlas created, for the organization and the addresses', async () => {
    const [atlas, emulator] = await start(kind);
    const linkToken = await create(atlas);
    expect(emulator.createdTokens()).toMatchObject([{ linkToken, orgId: ORG, accessListIps: ADDRESSES }]);
  });

  it.each([
    ['envelope=true', { envelope: true }],
    ['pretty=true', { pretty: true }],
    ['envelope=true&pretty=true', { envelope: true, pretty: true }],
  ])('returns the same with %s', async (query, options) => {
    const [atlas, emulator] = await start(kind, options);
    const linkToken = await create(atlas);
    expect(emulator.createdTokens()).toMatchObject([{ linkToken }]);
    expect(emulator.requestsOn('linkTokens').at(-1)?.path.split('/').at(-1)).toBe(`linkTokens?${query}`);
  });

  it.each([
    [401, 'NOT_ORG_OWNER'],
    [403, 'IP_ADDRESS_NOT_ON_ACCESS_LIST'],
    [429, 'RATE_LIMITED'],
    [500, 'UNEXPECTED_ERROR'],
  ])('throws the status inside an envelope: %i %s', async (status, errorCode) => {
    const [atlas, emulator] = await start(kind, { envelope: true });
    emulator.faults({ on: 'linkTokens', status, errorCode });
    await expect(create(atlas)).rejects.toMatchObject(failedWith({ status, errorCode }));
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
    for (let round = 0; round < 100; round++)
      await Promise.all(Array.from({ length: 10 }, () => create(atlas)));
    expect(emulator.createdTokens()).toHaveLength(1001);
    expect((emulator.requests().length - before) / 1000).toBeLessThanOrEqual(1.01);
  });
});

describe('createLinkToken', () => {
  /** The signed POST as the server saw it. */
  async function postSentBy(kind: Kind, orgId = ORG) {
    const posts: (IncomingMessage & { text: string })[] = [];
    const server = await serveAtlas((request, response) => {
      posts.push(request);
      response.end('{"linkToken":"token"}');
    });
    const atlas = closing(atlasAt(server, CREDENTIALS[kind]));
    const { signal } = new AbortController();
    await expect(atlas.createLinkToken(orgId, ADDRESSES, 'default', signal)).resolves.toBe('token');
    expect(posts).toHaveLength(1);
    const { method, url, text, headers: { authorization = '', host: _, ...headers } = {} } = posts[0] ?? {};
    return { method, url, text, headers, authorization };
  }

  it('sends the addresses in the media type of the published operation', async () => {
    const post = await postSentBy('serviceAccount');
    expect(post).toEqual({
      method: 'POST',
      url: `/api/atlas/v2/orgs/${ORG}/liveMigrations/linkTokens`,
      text: JSON.stringify({ accessListIps: ADDRESSES }),
      headers: expect.objectContaining({
        accept: 'application/vnd.atlas.2023-01-01+json',
        'content-type': 'application/vnd.atlas.2023-01-01+json',
        'user-agent': `live-migration-prep/${VERSION}`,
      }),
      authorization: 'Bearer CANARY-bearer',
    });
    const authorization = expect.stringMatching(/^Digest /);
    expect(await postSentBy('apiKey')).toEqual({ ...post, authorization });
  });

  it.each(KINDS)('of an id that is no organization stays below its path: %s', async (kind) => {
    const { url } = await postSentBy(kind, 'ffffffffffffffffffffffff/apiKeys?x=#../..');
    const segment = 'ffffffffffffffffffffffff%2FapiKeys%3Fx%3D%23..%2F..';
    expect(url).toBe(`/api/atlas/v2/orgs/${segment}/liveMigrations/linkTokens`);
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
    ['two mebibytes', { status: 201, body: { linkToken: 'x'.repeat(2_000_000) } }],
  ])('throws a success that holds %s', async (_what, fault) => {
    const [atlas, emulator] = await start('serviceAccount');
    emulator.faults({ on: 'linkTokens', ...fault });
    await expect(create(atlas)).rejects.toMatchObject(failedWith({ status: fault.status }));
  });

  it('accepts a token of nearly a mebibyte', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    const linkToken = 'x'.repeat(1_000_000);
    emulator.faults({ on: 'linkTokens', status: 201, body: { linkToken } });
    await expect(create(atlas)).resolves.toBe(linkToken);
  });

  it('survives an error that is a page, and reads how long to wait', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    emulator.faults({ on: 'linkTokens', html: true, status: 503, headers: { 'Retry-After': '30' } });
    await expect(create(atlas)).rejects.toMatchObject({
      outcome: { details: { status: 503 }, retryAfterMs: 30_000 },
    });
  });

  it.each([
    ['an envelope without content', '{"status":500}', 500],
    ['a status that is none', '{"status":5,"content":{}}', 201],
  ])('reads %s', async (_what, body, status) => {
    const server = await serveAtlas((_request, response) => response.writeHead(201).end(body));
    const atlas = closing(atlasAt(server, CREDENTIALS.serviceAccount, { envelope: true }));
    await expect(create(atlas)).rejects.toMatchObject(failedWith({ status }));
  });

  it('knows only the credentials that are configured', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    const error = await rejectionOf(create(atlas, undefined, 'other'));
    expect(error).toMatchObject({ outcome: { retryable: true, tokenMayExist: false } });
    expect(emulator.requests()).toEqual([]);
  });
});

describe('no error of the client shows a secret', () => {
  const CREATED = '{"linkToken":"CANARY-token"}';
  const [id, secret] = [secretOf('mdb_sa_id_1'), secretOf('CANARY-secret')];
  const [publicKey, privateKey] = [secretOf(KEY.publicKey), secretOf('CANARY-private')];
  const credentials = {
    serviceAccount: { type: 'serviceAccount', clientId: id, clientSecret: secret },
    apiKey: { type: 'apiKey', publicKey, privateKey },
  } as const;

  const body = (status: number, text: string): HttpHandler => {
    return (_request, response) => response.writeHead(status).end(text);
  };
  const RESPONSES: [what: string, respond: HttpHandler][] = [
    ['refuses', body(403, '{"errorCode":"X","detail":"No."}')],
    ['fails', body(500, '')],
    ['redirects', (_request, response) => response.writeHead(302, { Location: 'http://127.0.0.1:1/' }).end()],
    ['names the token otherwise', body(201, CREATED.replace('linkT', 't'))],
    ['names the token like a text of an error', body(201, '{"detail":"CANARY-token","reason":"CANARY"}')],
    ['cuts its JSON short', body(201, CREATED.slice(0, -1))],
    [
      'cuts its body short',
      (_request, response) =>
        response.writeHead(201, { 'Content-Length': 99 }).write(CREATED, () => response.destroy()),
    ],
    ['resets', ({ socket }) => socket.resetAndDestroy()],
    ['hangs', () => undefined],
    ['speaks no HTTP', ({ socket }) => socket.end(`${CREATED}\r\n\r\n`)],
    [
      'sends headers too long',
      (_request, response) => response.writeHead(201, { 'X-Token': 'CANARY-token'.repeat(5000) }).end(),
    ],
  ];

  async function expectNoSecretFrom(...args: Parameters<typeof atlasAt>): Promise<void> {
    const error = await rejectionOf(create(closing(atlasAt(...args))));
    expect(error).toBeInstanceOf(AtlasError);
    const shown = (error as Error).message + inspect(error, { showHidden: true, depth: 10 });
    expect(shown).not.toContain('CANARY');
    expect(shown).not.toContain(Buffer.from('mdb_sa_id_1:CANARY-secret').toString('base64').slice(0, 30));
  }

  it.each(KINDS.flatMap((kind) => RESPONSES.map(([what, respond]) => [what, kind, respond] as const)))(
    'when Atlas %s, to a credential of the kind %s',
    async (_what, kind, respond) => {
      await expectNoSecretFrom(await serveAtlas(respond), credentials[kind], { requestTimeoutMs: 300 });
    },
  );

  it.each(RESPONSES)('when the token endpoint %s', async (_what, respond) => {
    const server = closing(await serveHttp(respond));
    await expectNoSecretFrom(server, credentials.serviceAccount, { requestTimeoutMs: 300 });
  });

  it.each([
    ['a client secret', { ...credentials.serviceAccount, clientSecret: secretOf('CANARY-secret\n') }],
    ['a private key', { ...credentials.apiKey, privateKey: secretOf('CANARY-private\r\nX: y') }],
    ['a public key', { ...credentials.apiKey, publicKey: secretOf('CANARY-private\r\nX: y') }],
  ])('when %s would break a header', async (_what, credential) => {
    const challenge: HttpHandler = (_request, response) => response.writeHead(401, CHALLENGE).end();
    await expectNoSecretFrom(closing(await serveHttp(challenge)), credential);
  });
});

describe('visibleOrganizations', () => {
  it.each(KINDS)('lists what a credential of the kind %s can see, and creates nothing', async (kind) => {
    const [atlas, emulator] = await start(kind);
    await expect(atlas.visibleOrganizations('default')).resolves.toEqual([ORG]);
    expect(emulator.createdTokens()).toEqual([]);
  });

  it('authenticates anew, so that a replaced client secret is checked', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    await create(atlas);
    await atlas.visibleOrganizations('default');
    expect(emulator.requestsOn('oauth')).toHaveLength(2);
    emulator.seed({ serviceAccounts: [{ ...ACCOUNT, clientSecret: 'rotated' }] });
    await expect(atlas.visibleOrganizations('default')).rejects.toThrow('to the access-token request');
    await create(atlas);
  });

  it('does not wait until its access token is revoked; closing does', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    emulator.faults({ on: 'oauthRevoke', delayMs: 1000, status: 200 });
    const startedAtMs = Date.now();
    await atlas.visibleOrganizations('default');
    expect(Date.now() - startedAtMs).toBeLessThan(1000);
    await atlas.close();
    expect(Date.now() - startedAtMs).toBeGreaterThanOrEqual(990);
    expect(emulator.requestsOn('oauthRevoke')).toHaveLength(1);
  });

  it.each([
    ['an error', { status: 403 }],
    ['a page', { status: 200, html: true }],
    ['another success', { status: 203, body: { results: [] } }],
  ])('throws %s', async (_what, fault) => {
    const [atlas, emulator] = await start('serviceAccount');
    emulator.faults({ on: 'orgs', ...fault });
    const error = failedWith({ status: fault.status });
    await expect(atlas.visibleOrganizations('default')).rejects.toMatchObject(error);
  });
});

const base64 = (text: string) => Buffer.from(text).toString('base64');

it.each<[what: string, kind: Kind, quoted: string]>([
  ['the access token', 'serviceAccount', 'CANARY-bearer'],
  ['the client secret', 'serviceAccount', ACCOUNT.clientSecret],
  ['the client secret in base64', 'serviceAccount', base64(ACCOUNT.clientSecret)],
  ['the private key', 'apiKey', KEY.privateKey],
])('an error that quotes %s does not reach the caller with it', async (_what, kind, quoted) => {
  const server = await serveAtlas((_request, response) =>
    response.writeHead(400).end(JSON.stringify({ detail: `who is "${quoted}"?` })),
  );
  const error = await rejectionOf(create(closing(atlasAt(server, CREDENTIALS[kind]))));
  expect(error).toMatchObject(failedWith({ status: 400, detail: 'who is "(credential)"?' }));
});

it('an error of the access-token request that quotes Basic authorization does not reach the caller with it', async () => {
  const server = closing(
    await serveHttp(({ headers }, response) =>
      response.writeHead(401).end(JSON.stringify({ error_description: headers.authorization })),
    ),
  );
  const error = await rejectionOf(create(closing(atlasAt(server, CREDENTIALS.serviceAccount))));
  expect(error).toMatchObject(failedWith({ detail: 'Basic (credential)' }));
});

it('a token that holds the text of a credential comes back as it is', async () => {
  const linkToken = `xx${KEY.privateKey}yy`;
  const server = await serveAtlas((_request, response) =>
    response.writeHead(201).end(JSON.stringify({ linkToken })),
  );
  expect(await create(closing(atlasAt(server, CREDENTIALS.apiKey)))).toBe(linkToken);
});

it.each([403, 429, 503])(
  'a refusal %i whose JSON is nested too deeply to be searched is the refusal',
  async (status) => {
    const nested = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
    const server = await serveAtlas((_request, response) =>
      response.writeHead(status).end(`{"detail":"CANARY","parameters":${nested}}`),
    );
    const error = await rejectionOf(create(closing(atlasAt(server, CREDENTIALS.serviceAccount))));
    expect(error).toMatchObject({ outcome: { details: { status } } });
    expect(String(error)).not.toContain('CANARY');
  },
);
