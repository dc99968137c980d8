import { inspect } from 'node:util';
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
  start,
  type Kind,
} from './emulated';

/** Grants each access token and challenges what is not signed; the handler responds to the rest. */
async function serveAtlas(respond: HttpHandler) {
  const server = await serveHttp((request, response) => {
    const { url = '', headers } = request;
    if (url.startsWith('/api/oauth/')) response.end('{"access_token":"CANARY-bearer","expires_in":3600}');
    else if (headers.authorization) respond(request, response);
    else response.writeHead(401, { 'WWW-Authenticate': 'Digest realm="r", nonce="n", qop="auth"' }).end();
  });
  return server;
}

/** A request to a server that responds so. */
async function createWith(status: number, body: unknown, kind: Kind = 'serviceAccount', options = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const server = await serveAtlas((_request, response) => response.writeHead(status).end(text));
  return create(atlasAt(server, CREDENTIALS[kind], options));
}

describe.each(KINDS)('createLinkToken with a credential of the kind %s', (kind) => {
  it.each([
    ['linkTokens', {}],
    ['linkTokens?envelope=true&pretty=true', { envelope: true, pretty: true }],
  ])('returns the token that Atlas created for the request: %s', async (endOfPath, options) => {
    const [atlas, emulator] = await start(kind, options);
    const linkToken = await create(atlas);
    expect(emulator.createdTokens()).toMatchObject([{ linkToken, orgId: ORG, accessListIps: ADDRESSES }]);
    expect(emulator.requestsOn('linkTokens').at(-1)?.path.split('/').at(-1)).toBe(endOfPath);
  });

  it('reads the status inside an envelope: renews what has run out, and throws what Atlas refuses', async () => {
    const [atlas, emulator] = await start(kind, { envelope: true });
    await create(atlas);
    emulator.expire('accessTokens');
    emulator.expire('nonces');
    await create(atlas);
    expect(emulator.createdTokens()).toHaveLength(2);
    const refusal = { status: 429, errorCode: 'RATE_LIMITED' };
    emulator.faults({ on: 'linkTokens', ...refusal });
    await expect(create(atlas)).rejects.toMatchObject(failedWith(refusal));
  });
});

describe('createLinkToken', () => {
  it('by API key creates one token for each of fifty attempts: cold, warm, and with nonces expired', async () => {
    const [atlas, emulator] = await start('apiKey');
    const posts = () => emulator.requestsOn('linkTokens').length;
    await fifty(() => create(atlas));
    const postsWhileCold = posts();
    await fifty(() => create(atlas));
    expect(posts()).toBe(postsWhileCold + 50);
    const attempts = fifty(() => create(atlas));
    emulator.expire('nonces');
    await attempts;
    expect(emulator.createdTokens()).toHaveLength(150);
  });

  it('returns the token although it was aborted while the POST was under way', async () => {
    const abort = new AbortController();
    const server = await serveAtlas((_request, response) => {
      abort.abort(new Error('stopped'));
      setImmediate(() => response.writeHead(201).end('{"linkToken":"token"}'));
    });
    await expect(create(atlasAt(server, CREDENTIALS.serviceAccount), abort.signal)).resolves.toBe('token');
  });

  it('takes any 2xx with a token for a success', async () => {
    await expect(createWith(200, { linkToken: 'x', extra: 1 })).resolves.toBe('x');
  });

  it.each([
    ['no token', {}, 201],
    ['an empty token', { linkToken: '' }, 201],
    ['a page', '<html>', 201],
    ['an envelope without content', { status: 500 }, 500],
    ['an envelope whose status is none', { status: 5, content: {} }, 201],
  ])('throws a success that holds %s', async (_what, body, status) => {
    const creating = createWith(201, body, 'serviceAccount', { envelope: true });
    await expect(creating).rejects.toMatchObject(failedWith({ status }));
  });

  it('is not sent while the circuit of its credential is open; another credential is not concerned', async () => {
    const credentials = new Map(
      Object.entries({ acme: CREDENTIALS.serviceAccount, other: CREDENTIALS.apiKey }),
    );
    const backoff = { initialIntervalMs: 600_000, backoffCoefficient: 1, maximumIntervalMs: 600_000 };
    const [atlas, emulator] = await start('serviceAccount', { credentials, backoff });
    emulator.faults({ on: 'linkTokens', status: 503 });
    await expect(create(atlas, undefined, 'acme')).rejects.toMatchObject(failedWith({ status: 503 }));
    await expect(create(atlas, undefined, 'acme')).rejects.toThrow('not sent: this worker sends no');
    expect(emulator.requestsOn('linkTokens')).toHaveLength(1);
    expect(atlas.describeOpenCircuit('acme')).toContain('with credential acme until');
    expect(atlas.describeOpenCircuit('other')).toBeNull();
    await expect(create(atlas, undefined, 'other')).resolves.toBeDefined();
    await expect(create(atlas, undefined, 'third')).rejects.toThrow('no credential named "third"');
  });
});

describe('a credential in an error of Atlas is redacted:', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');

  it.each<[what: string, kind: Kind, quoted: string]>([
    ['the access token', 'serviceAccount', 'CANARY-bearer'],
    ['the client secret', 'serviceAccount', ACCOUNT.clientSecret],
    ['the client secret in base64', 'serviceAccount', base64(ACCOUNT.clientSecret)],
    ['the private key', 'apiKey', KEY.privateKey],
  ])('%s', async (_what, kind, quoted) => {
    const creating = createWith(400, { detail: `who is "${quoted}"?` }, kind);
    await expect(creating).rejects.toMatchObject(failedWith({ detail: 'who is "(credential)"?' }));
  });

  it('the header of the access-token request', async () => {
    const server = await serveHttp(({ headers }, response) =>
      response.writeHead(401).end(JSON.stringify({ error_description: headers.authorization })),
    );
    const creating = create(atlasAt(server, CREDENTIALS.serviceAccount));
    await expect(creating).rejects.toMatchObject(failedWith({ detail: 'Basic (credential)' }));
  });

  it('all of its JSON, when that is nested too deeply to be searched', async () => {
    const nested = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
    const error = await rejectionOf(createWith(429, `{"detail":"CANARY","parameters":${nested}}`));
    expect(error).toMatchObject({ outcome: { details: { status: 429 } } });
    expect(inspect(error, { showHidden: true, depth: 10 })).not.toContain('CANARY');
  });

  it('but a token that holds the text of a credential comes back as it is', async () => {
    const linkToken = `xx${KEY.privateKey}yy`;
    expect(await createWith(201, { linkToken }, 'apiKey')).toBe(linkToken);
  });
});

describe('visibleOrganizations', () => {
  it('authenticates anew, so that a replaced client secret is checked', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    await create(atlas);
    await expect(atlas.visibleOrganizations('default')).resolves.toEqual([ORG]);
    emulator.seed({ serviceAccounts: [{ ...ACCOUNT, clientSecret: 'rotated' }] });
    await expect(atlas.visibleOrganizations('default')).rejects.toThrow('to the access-token request');
    await create(atlas);
  });

  it.each([
    ['a page', { status: 200, html: true }],
    ['another success', { status: 203, body: { results: [] } }],
  ])('throws %s', async (_what, fault) => {
    const [atlas, emulator] = await start('serviceAccount');
    emulator.faults({ on: 'orgs', ...fault });
    const error = failedWith({ status: fault.status });
    await expect(atlas.visibleOrganizations('default')).rejects.toMatchObject(error);
  });
});
