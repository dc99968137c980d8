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
  create,
  failedWith,
  fifty,
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
  return server;
}

const answer =
  (status: number, body: unknown, headers = {}): HttpHandler =>
  (_request, response) =>
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));

/** A request to a server that responds so. */
async function createWith(respond: HttpHandler, kind: Kind = 'serviceAccount', options = {}) {
  return create(atlasAt(await serveAtlas(respond), CREDENTIALS[kind], options));
}

describe.each(KINDS)('createLinkToken with a credential of the kind %s', (kind) => {
  it.each([
    ['', {}],
    ['?envelope=true', { envelope: true }],
    ['?envelope=true&pretty=true', { envelope: true, pretty: true }],
  ])(
    'returns the token that Atlas created, for the organization and the addresses: %j',
    async (query, options) => {
      const [atlas, emulator] = await start(kind, options);
      const linkToken = await create(atlas);
      expect(emulator.createdTokens()).toMatchObject([{ linkToken, orgId: ORG, accessListIps: ADDRESSES }]);
      const { path } = emulator.requestsOn('linkTokens').at(-1) ?? {};
      expect(path?.split('/').at(-1)).toBe(`linkTokens${query}`);
    },
  );

  it.each([
    [401, 'NOT_ORG_OWNER'],
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

  it('sends the addresses in the media type of the published operation, and stays below its path', async () => {
    const posts: (IncomingMessage & { text: string })[] = [];
    const server = await serveAtlas((request, response) => {
      posts.push(request);
      response.end('{"linkToken":"token"}');
    });
    const atlas = atlasAt(server, CREDENTIALS[kind]);
    const orgId = 'ffffffffffffffffffffffff/apiKeys?x=#../..';
    const { signal } = new AbortController();
    await expect(atlas.createLinkToken(orgId, ADDRESSES, 'default', signal)).resolves.toBe('token');
    expect(posts).toEqual([
      expect.objectContaining({
        method: 'POST',
        url: '/api/atlas/v2/orgs/ffffffffffffffffffffffff%2FapiKeys%3Fx%3D%23..%2F../liveMigrations/linkTokens',
        text: JSON.stringify({ accessListIps: ADDRESSES }),
      }),
    ]);
    expect(posts[0]?.headers).toMatchObject({
      accept: 'application/vnd.atlas.2023-01-01+json',
      'content-type': 'application/vnd.atlas.2023-01-01+json',
      'user-agent': `live-migration-prep/${VERSION}`,
      authorization: expect.stringMatching(/^(Bearer CANARY-bearer$|Digest )/),
    });
  });
});

describe('createLinkToken with an API key', () => {
  const linkTokenCounts = ([, emulator]: Awaited<ReturnType<typeof start>>) => {
    const posts = emulator.requestsOn('linkTokens');
    return [posts.length, posts.filter(({ challenge }) => challenge).length, emulator.createdTokens().length];
  };

  it('creates one token for each of fifty attempts: cold, warm, and while its nonces expire', async () => {
    const started = await start('apiKey');
    const [atlas, emulator] = started;
    await fifty(() => create(atlas));
    const [posts = 0, challenges] = linkTokenCounts(started);
    await fifty(() => create(atlas));
    expect(linkTokenCounts(started)).toEqual([posts + 50, challenges, 100]);
    const attempts = Array.from({ length: 50 }, () => create(atlas));
    await Promise.race(attempts);
    emulator.expire('nonces');
    await Promise.all(attempts);
    expect(emulator.createdTokens()).toHaveLength(150);
  });

  it('treats a 401 that is no challenge as a refusal', async () => {
    const started = await start('apiKey');
    started[1].seed({ apiKeys: [{ ...KEY, roles: ['ORG_MEMBER'] }] });
    const error = failedWith({ status: 401, errorCode: 'NOT_ORG_OWNER' });
    await expect(create(started[0])).rejects.toMatchObject(error);
    expect(linkTokenCounts(started)).toEqual([2, 1, 0]);
  });

  it('that was rotated is picked up with the next challenge', async () => {
    let privateKey = KEY.privateKey;
    const rotated = { source: 'the test', read: () => privateKey };
    const [atlas, emulator] = await start({ ...CREDENTIALS.apiKey, privateKey: rotated });
    await create(atlas);
    privateKey = 'rotated';
    emulator.seed({ apiKeys: [{ ...KEY, privateKey }], settings: { rateLimit: { enabled: false } } });
    await create(atlas);
    expect(emulator.createdTokens()).toHaveLength(2);
  });
});

describe('createLinkToken', () => {
  it('sends nothing when it was aborted beforehand', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    const reason = new Error('stopped');
    await expect(create(atlas, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(emulator.requests()).toEqual([]);
  });

  it('returns the token although it was aborted while the POST was under way', async () => {
    const abort = new AbortController();
    const server = await serveAtlas((_request, response) => {
      abort.abort(new Error('stopped'));
      setImmediate(() => response.writeHead(201).end('{"linkToken":"token"}'));
    });
    await expect(create(atlasAt(server, CREDENTIALS.serviceAccount), abort.signal)).resolves.toBe('token');
  });

  it.each([
    ['200', 200, { linkToken: 'x' }, {}],
    ['another content type', 201, { linkToken: 'x' }, { 'Content-Type': 'text/plain' }],
    ['more than was requested', 201, { linkToken: 'x', extra: 1 }, {}],
  ])('treats %s with a token as success', async (_what, status, body, headers) => {
    await expect(createWith(answer(status, body, headers))).resolves.toBe('x');
  });

  it.each([
    ['no token', {}],
    ['an empty token', { linkToken: '' }],
    ['a token that is no text', { linkToken: 5 }],
    ['null', null],
    ['a page', '<html>'],
    ['two mebibytes', { linkToken: 'x'.repeat(2_000_000) }],
  ])('throws a success that holds %s', async (_what, body) => {
    await expect(createWith(answer(201, body))).rejects.toMatchObject(failedWith({ status: 201 }));
  });

  it('survives an error that is a page, and reads how long to wait', async () => {
    const error = { outcome: { details: { status: 503 }, retryAfterMs: 30_000 } };
    const unavailable = answer(503, '<html>', { 'Retry-After': '30' });
    await expect(createWith(unavailable)).rejects.toMatchObject(error);
  });

  it.each([
    ['an envelope without content', '{"status":500}', 500],
    ['a status that is none', '{"status":5,"content":{}}', 201],
  ])('reads %s', async (_what, body, status) => {
    const created = createWith(answer(201, body), 'serviceAccount', { envelope: true });
    await expect(created).rejects.toMatchObject(failedWith({ status }));
  });

  it('knows only the credentials that are configured', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    const error = await rejectionOf(create(atlas, undefined, 'other'));
    expect(error).toMatchObject({ outcome: { retryable: true, tokenMayExist: false } });
    expect(emulator.requests()).toEqual([]);
  });

  it('is not sent while the circuit of its credential is open; another credential is not concerned', async () => {
    const credentials = new Map(
      Object.entries({ acme: CREDENTIALS.serviceAccount, other: CREDENTIALS.apiKey }),
    );
    const backoff = { initialIntervalMs: 600_000, backoffCoefficient: 1, maximumIntervalMs: 600_000 };
    const [atlas, emulator] = await start('serviceAccount', { credentials, backoff });
    emulator.faults({ on: 'linkTokens', status: 503 });
    await expect(create(atlas, undefined, 'acme')).rejects.toMatchObject(failedWith({ status: 503 }));
    await expect(create(atlas, undefined, 'acme')).rejects.toThrow(
      'not sent: this worker sends no link-token',
    );
    expect(emulator.requestsOn('linkTokens')).toHaveLength(1);
    expect(atlas.describeOpenCircuit('acme')).toContain('with credential acme until');
    expect(atlas.describeOpenCircuit('other')).toBeNull();
    await expect(create(atlas, undefined, 'other')).resolves.toBeDefined();
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

  /** The sender's tests have more of what a connection does instead of responding, and look for secrets, too. */
  const RESPONSES: [what: string, respond: HttpHandler][] = [
    ['refuses', answer(403, { errorCode: 'X', detail: 'No.' })],
    ['fails', answer(500, '')],
    ['redirects', answer(302, '', { Location: 'http://127.0.0.1:1/' })],
    ['names the token otherwise', answer(201, CREATED.replace('linkT', 't'))],
    ['names the token like a text of an error', answer(201, { detail: 'CANARY-token', reason: 'CANARY' })],
    ['cuts its JSON short', answer(201, CREATED.slice(0, -1))],
    ['resets', ({ socket }) => socket.resetAndDestroy()],
    ['sends headers too long', answer(201, '', { 'X-Token': 'CANARY-token'.repeat(5000) })],
  ];

  async function expectNoSecretFrom(...args: Parameters<typeof atlasAt>): Promise<void> {
    const error = await rejectionOf(create(atlasAt(...args)));
    expect(error).toBeInstanceOf(AtlasError);
    const shown = (error as Error).message + inspect(error, { showHidden: true, depth: 10 });
    expect(shown).not.toContain('CANARY');
    expect(shown).not.toContain(Buffer.from('mdb_sa_id_1:CANARY-secret').toString('base64').slice(0, 30));
  }

  it.each(RESPONSES)('when Atlas %s', async (_what, respond) => {
    for (const kind of KINDS) await expectNoSecretFrom(await serveAtlas(respond), credentials[kind]);
    const server = await serveHttp(respond);
    await expectNoSecretFrom(server, credentials.serviceAccount);
  });

  it.each([
    ['a client secret', { ...credentials.serviceAccount, clientSecret: secretOf('CANARY-secret\n') }],
    ['a private key', { ...credentials.apiKey, privateKey: secretOf('CANARY-private\r\nX: y') }],
    ['a public key', { ...credentials.apiKey, publicKey: secretOf('CANARY-private\r\nX: y') }],
  ])('when %s would break a header', async (_what, credential) => {
    await expectNoSecretFrom(await serveHttp(answer(401, '', CHALLENGE)), credential);
  });

  const base64 = (text: string) => Buffer.from(text).toString('base64');
  it.each<[what: string, kind: Kind, quoted: string]>([
    ['the access token', 'serviceAccount', 'CANARY-bearer'],
    ['the client secret', 'serviceAccount', ACCOUNT.clientSecret],
    ['the client secret in base64', 'serviceAccount', base64(ACCOUNT.clientSecret)],
    ['the private key', 'apiKey', KEY.privateKey],
  ])('that Atlas quotes: %s', async (_what, kind, quoted) => {
    const error = await rejectionOf(createWith(answer(400, { detail: `who is "${quoted}"?` }), kind));
    expect(error).toMatchObject(failedWith({ status: 400, detail: 'who is "(credential)"?' }));
  });

  it('that the token endpoint quotes: Basic authorization', async () => {
    const server = await serveHttp(({ headers }, response) =>
      response.writeHead(401).end(JSON.stringify({ error_description: headers.authorization })),
    );
    const error = await rejectionOf(create(atlasAt(server, CREDENTIALS.serviceAccount)));
    expect(error).toMatchObject(failedWith({ detail: 'Basic (credential)' }));
  });

  it.each([403, 429, 503])('in JSON that is nested too deeply to be searched: %i', async (status) => {
    const nested = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
    const refusal = answer(status, `{"detail":"CANARY","parameters":${nested}}`);
    const error = await rejectionOf(createWith(refusal));
    expect(error).toMatchObject({ outcome: { details: { status } } });
    expect(String(error)).not.toContain('CANARY');
  });

  it('but a token that holds the text of a credential comes back as it is', async () => {
    const linkToken = `xx${KEY.privateKey}yy`;
    expect(await createWith(answer(201, { linkToken }), 'apiKey')).toBe(linkToken);
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
    emulator.seed({ serviceAccounts: [{ ...ACCOUNT, clientSecret: 'rotated' }] });
    await expect(atlas.visibleOrganizations('default')).rejects.toThrow('to the access-token request');
    await create(atlas);
  });

  it('does not wait until its access token is revoked; closing does', async () => {
    let revoke = () => {};
    const server = await serveHttp(({ url }, response) => {
      const respond = () => response.end('{"access_token":"t","expires_in":3600,"results":[]}');
      if (url === '/api/oauth/revoke') revoke = respond;
      else respond();
    });
    const atlas = atlasAt(server, CREDENTIALS.serviceAccount);
    await atlas.visibleOrganizations('default');
    let isClosed = false;
    const closed = atlas.close().then(() => (isClosed = true));
    await create(atlas).catch(() => undefined);
    expect(isClosed).toBe(false);
    revoke();
    await closed;
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
