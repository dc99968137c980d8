import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { generate } from 'selfsigned';
import { Agent, request as undiciRequest } from 'undici';
import {
  DEFAULT_SEED,
  DEFAULTS,
  startAtlasEmulator,
  type AtlasEmulator,
  type SeedInput,
} from '../../dev/atlas-emulator';
import { FAULT_EXAMPLES, HELP } from '../../dev/atlas-emulator/cli';

const { orgId: ORG, sourceOrgId: SOURCE_ORG, apiKey: ATLAS_KEY, sourceApiKey: SOURCE_KEY } = DEFAULTS;
const { clientId, clientSecret } = DEFAULTS.serviceAccount;
const LINK_TOKENS = `/api/atlas/v2/orgs/${ORG}/liveMigrations/linkTokens`;
const MIGRATION_LINK = `/api/public/v1.0/orgs/${SOURCE_ORG}/liveExport/migrationLink`;
const FORM = 'application/x-www-form-urlencoded';
const VERSIONED = 'application/vnd.atlas.2023-01-01+json';

const aString = expect.any(String) as string;

interface Reply {
  status: number;
  headers: Headers;
  text: string;
  /** What JSON answers hold, of all routes together; empty when the answer is not JSON. */
  json: {
    access_token?: string;
    linkToken?: string;
    error?: string | number;
    errorCode?: string;
    detail?: string;
    status?: string | number;
    faults?: object[];
    counts?: Record<string, number>;
  };
}

let emulator: AtlasEmulator;

beforeAll(async () => {
  emulator = await startAtlasEmulator();
});
beforeEach(() => emulator.reset());
afterAll(() => emulator.close());

async function call(
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: string,
): Promise<Reply> {
  const init = { method, headers, redirect: 'manual' as const, ...(body !== undefined && { body }) };
  const response = await fetch(emulator.url + path, init);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: parse(text) };
}

function parse(text: string): Reply['json'] {
  try {
    return JSON.parse(text) as Reply['json'];
  } catch {
    return {};
  }
}

function basic(id = clientId, secret = clientSecret): string {
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
}

function askForToken(
  id = clientId,
  secret = clientSecret,
  form = 'grant_type=client_credentials',
): Promise<Reply> {
  const headers = { authorization: basic(id, secret), 'content-type': FORM };
  return call('POST', '/api/oauth/token', headers, form);
}

async function bearer(): Promise<string> {
  const { access_token = 'none' } = (await askForToken()).json;
  return `Bearer ${access_token}`;
}

/** POSTs linkTokens, with a new bearer token unless the headers have one. */
async function create(
  body = '{"accessListIps":["203.0.113.7"]}',
  headers: Record<string, string> = {},
  path = LINK_TOKENS,
): Promise<Reply> {
  const authorization = headers['authorization'] ?? (await bearer());
  const usual = { authorization, accept: VERSIONED, 'content-type': 'application/json' };
  return call('POST', path, { ...usual, ...headers }, body);
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex');

interface Signing {
  nonce: string;
  nc?: string;
  method?: string;
  uri?: string;
  key?: typeof ATLAS_KEY;
}

function sign({
  nonce,
  nc = '00000001',
  method = 'POST',
  uri = LINK_TOKENS,
  key = ATLAS_KEY,
}: Signing): string {
  const ha1 = md5(`${key.publicKey}:MMS Public API:${key.privateKey}`);
  const response = md5(`${ha1}:${nonce}:${nc}:c0ffee:auth:${md5(`${method}:${uri}`)}`);
  return `Digest username="${key.publicKey}", realm="MMS Public API", nonce="${nonce}", uri="${uri}", algorithm=MD5, response="${response}", qop=auth, nc=${nc}, cnonce="c0ffee"`;
}

async function freshNonce(): Promise<string> {
  const { headers } = await call('POST', LINK_TOKENS, {});
  return /nonce="([^"]+)"/.exec(headers.get('www-authenticate') ?? '')?.[1] ?? 'none';
}

async function signed(signing: Omit<Signing, 'nonce'> & { nonce?: string }, body = '{}'): Promise<Reply> {
  const { method = 'POST', uri = LINK_TOKENS } = signing;
  const authorization = sign({ nonce: await freshNonce(), ...signing });
  const headers = { authorization, accept: VERSIONED, 'content-type': 'application/json' };
  return call(method, uri, headers, method === 'GET' || method === 'DELETE' ? undefined : body);
}

describe('the token endpoint', () => {
  it('gives an access token of an hour', async () => {
    const { status, json } = await askForToken();
    expect([status, json]).toEqual([200, { access_token: aString, expires_in: 3600, token_type: 'Bearer' }]);
  });

  it.each<[string, () => Promise<Reply>, number, string]>([
    ['a wrong secret', () => askForToken(clientId, 'wrong'), 401, 'invalid_client'],
    ['an unknown account', () => askForToken('mdb_sa_id_0', clientSecret), 401, 'invalid_client'],
    ['a url-encoded id', () => askForToken(clientId.replaceAll('_', '%5F')), 401, 'invalid_client'],
    [
      'another grant',
      () => askForToken(clientId, clientSecret, 'grant_type=password'),
      400,
      'unsupported_grant_type',
    ],
    ['a body that is no form', () => call('POST', '/api/oauth/token', {}, '{}'), 400, 'invalid_request'],
  ])('refuses %s', async (_what, ask, status, error) => {
    const reply = await ask();
    expect([reply.status, reply.json.error]).toEqual([status, error]);
  });

  it('takes the credentials from the form, to which Go falls back', async () => {
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
    });
    const headers = { 'content-type': FORM };
    expect((await call('POST', '/api/oauth/token', headers, String(form))).status).toBe(200);
  });

  it('refuses the 101st live token, and gives one again after a revocation', async () => {
    const [authorization = ''] = await Promise.all(Array.from({ length: 100 }, () => bearer()));
    const refused = await askForToken();
    expect([refused.status, refused.json.error]).toEqual([403, 'access_denied']);

    const headers = { authorization: basic(), 'content-type': FORM };
    const form = `token=${authorization.slice('Bearer '.length)}`;
    expect((await call('POST', '/api/oauth/revoke', headers, form)).status).toBe(200);
    expect((await create('{}', { authorization })).status).toBe(401);
    expect(emulator.state().serviceAccounts).toMatchObject([{ liveAccessTokens: 99 }]);
    expect((await askForToken()).status).toBe(200);
  });

  it('really ends a token when its time has come', async () => {
    emulator.seed({ settings: { accessTokenLifetimeSeconds: 1 } });
    const authorization = await bearer();
    expect((await create('{}', { authorization })).status).toBe(201);
    await sleep(1050);
    expect((await create('{}', { authorization })).status).toBe(401);
  });
});

describe('HTTP Digest', () => {
  it('challenges as it was recorded', async () => {
    const { status, headers } = await call('POST', LINK_TOKENS, {});
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toMatch(
      /^Digest realm="MMS Public API", domain="", nonce="[\w-]+", algorithm=MD5, qop="auth", stale=false$/,
    );
    expect(emulator.requests()).toMatchObject([{ on: 'linkTokens', status: 401, challenge: true }]);
  });

  it('takes one nonce again and again while the count rises, also when requests overtake each other', async () => {
    const nonce = await freshNonce();
    for (const nc of ['00000001', '00000003', '00000002', '0000000a']) {
      expect((await signed({ nonce, nc })).status).toBe(201);
    }
  });

  const wrongKey = { ...ATLAS_KEY, privateKey: 'wrong' };
  const unknownKey = { publicKey: 'nobodyyy', privateKey: 'x' };
  it.each<[string, () => Promise<Reply>, string]>([
    ['a wrong private key', () => signed({ key: wrongKey }), 'stale=false'],
    ['a wrong private key on an unknown nonce', () => signed({ key: wrongKey, nonce: 'x' }), 'stale=false'],
    ['an unknown public key', () => signed({ key: unknownKey }), 'stale=false'],
    ['a nonce it never gave', () => signed({ nonce: 'invented' }), 'stale=true'],
    ['a count that is no hexadecimal number', () => signed({ nc: 'first' }), 'stale=false'],
  ])('challenges anew after %s', async (_what, ask, stale) => {
    const { status, headers } = await ask();
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toContain(stale);
    expect(emulator.createdTokens()).toEqual([]);
  });

  it('refuses a count it has seen, and a signature of another path', async () => {
    const nonce = await freshNonce();
    const authorization = sign({ nonce });
    const headers = { authorization, accept: VERSIONED, 'content-type': 'application/json' };
    expect((await call('POST', `${LINK_TOKENS}?pretty=true`, headers, '{}')).status).toBe(401);
    expect((await call('POST', LINK_TOKENS, headers, '{}')).status).toBe(201);
    expect((await call('POST', LINK_TOKENS, headers, '{}')).status).toBe(401);
  });

  it('calls a nonce stale when it has expired', async () => {
    emulator.seed({ settings: { nonceLifetimeMs: 50 } });
    const nonce = await freshNonce();
    await sleep(60);
    expect((await signed({ nonce })).headers.get('www-authenticate')).toContain('stale=true');
  });
});

describe('creating a link-token', () => {
  it('answers as it was recorded, and remembers the token', async () => {
    const { status, headers, json } = await create();
    expect(status).toBe(201);
    expect(headers.get('content-type')).toBe(`${VERSIONED};charset=utf-8`);
    expect([headers.get('ratelimit-limit'), headers.get('ratelimit-remaining')]).toEqual(['500', '499']);
    expect(json).toEqual({ linkToken: expect.stringMatching(/^[\w+/]{300,}=*$/) as string });
    expect(emulator.createdTokens()).toEqual([
      {
        ...json,
        orgId: ORG,
        accessListIps: ['203.0.113.7'],
        credential: clientId,
        createdAt: aString,
        removed: false,
      },
    ]);
  });

  it.each([
    ['envelope=true', { status: 201, content: { linkToken: aString } }],
    ['pretty=true', { linkToken: aString }],
    ['envelope=false&pretty=false', { linkToken: aString }],
  ])('understands ?%s', async (query, body) => {
    const { status, json, text } = await create('{}', {}, `${LINK_TOKENS}?${query}`);
    expect([status, json]).toEqual([query === 'envelope=true' ? 200 : 201, body]);
    expect(text.includes('\n  "')).toBe(query === 'pretty=true');
  });

  it('puts an error into the envelope too', async () => {
    const { status, json } = await create('{', {}, `${LINK_TOKENS}?envelope=true`);
    expect([status, json]).toMatchObject([200, { status: 400, content: { errorCode: 'INVALID_JSON' } }]);
  });

  it.each<[string, Record<string, string>, number]>([
    ['Accept 2023-01-01', { accept: VERSIONED }, 201],
    ['Accept 2025-02-19', { accept: 'application/vnd.atlas.2025-02-19+json' }, 201],
    ['a list', { accept: `application/json, ${VERSIONED};q=0.9` }, 201],
    ['any type', { accept: '*/*' }, 406],
    ['no version', { accept: 'application/json' }, 406],
    ['a version before the first', { accept: 'application/vnd.atlas.2022-12-31+json' }, 406],
    ['a date that does not exist', { accept: 'application/vnd.atlas.2025-13-01+json' }, 406],
    ['a withdrawn version', { accept: 'application/vnd.atlas.2022-09-09+json' }, 410],
    ['a versioned Content-Type', { 'content-type': VERSIONED }, 201],
    ['a charset', { 'content-type': 'application/json; charset=utf-8' }, 201],
    ['text', { 'content-type': 'text/plain' }, 415],
  ])('answers %s', async (_what, headers, status) => {
    expect((await create('{}', headers)).status).toBe(status);
  });

  it('answers 410 when the version asked for resolves to a withdrawn one', async () => {
    emulator.seed({ settings: { withdrawnVersions: ['2023-01-01'] } });
    expect((await create('{}', { accept: 'application/vnd.atlas.2025-02-19+json' })).status).toBe(410);
  });

  it.each([
    ['{"accessListIps":[]}', 201, undefined],
    ['{}', 201, undefined],
    ['{"accessListIps":["10.0.0.0/8","2001:db8::/32","::1"]}', 201, undefined],
    ['', 400, 'INVALID_JSON'],
    ['{"accessListIps":', 400, 'INVALID_JSON'],
    ['[]', 400, 'VALIDATION_ERROR'],
    ['{"accessListIps":"1.2.3.4"}', 400, 'VALIDATION_ERROR'],
    ['{"other":1}', 400, 'VALIDATION_ERROR'],
    ['{"accessListIps":["host.example"]}', 400, 'INVALID_IP_ADDRESS_OR_CIDR_NOTATION'],
    ['{"accessListIps":["10.0.0.0/33"]}', 400, 'INVALID_IP_ADDRESS_OR_CIDR_NOTATION'],
    ['{"accessListIps":["10.0.0.0/"]}', 400, 'INVALID_IP_ADDRESS_OR_CIDR_NOTATION'],
    ['{"accessListIps":["10.0.0.0/8/8"]}', 400, 'INVALID_IP_ADDRESS_OR_CIDR_NOTATION'],
  ])('answers the body %s with %d', async (body, status, errorCode) => {
    const reply = await create(body);
    expect([reply.status, reply.json.errorCode]).toEqual([status, errorCode]);
    expect(emulator.createdTokens()).toHaveLength(status === 201 ? 1 : 0);
  });

  it('names a malformed field, with every recorded member of the error', async () => {
    const { json, headers } = await create('{"accessListIps":["1.2.3.4",5]}');
    expect(headers.get('content-type')).toBe('application/json');
    expect(json).toEqual({
      badRequestDetail: { fields: [{ description: aString, field: 'accessListIps.1' }] },
      detail: aString,
      error: 400,
      errorCode: 'VALIDATION_ERROR',
      parameters: [],
      reason: 'Bad Request',
    });
  });

  it('refuses IPv6 when told to', async () => {
    emulator.seed({ settings: { rejectIpv6: true } });
    expect((await create('{"accessListIps":["2001:db8::1"]}')).json).toMatchObject({
      errorCode: 'IPV6_UNSUPPORTED',
      parameters: ['2001:db8::1'],
    });
  });

  const other = '64f1c0ffee5eed0000000b72';
  const twoOrganizations: SeedInput = {
    organizations: [...DEFAULT_SEED.organizations, { id: other, name: 'Other' }],
  };
  const member: SeedInput = {
    serviceAccounts: [{ clientId, clientSecret, orgId: ORG, roles: ['ORG_MEMBER'] }],
  };
  it.each<[string, SeedInput, string, number, string]>([
    ['a malformed organization', {}, 'ABC', 404, 'INVALID_ORG_ID'],
    ['an unknown organization', {}, other, 404, 'ORG_NOT_FOUND'],
    ["another's organization", twoOrganizations, other, 401, 'USER_CANNOT_ACCESS_ORG'],
    ['a credential that is no owner', member, ORG, 401, 'NOT_ORG_OWNER'],
  ])('refuses %s, without a challenge', async (_what, seed, org, status, errorCode) => {
    emulator.seed(seed);
    const reply = await create('{}', {}, LINK_TOKENS.replace(ORG, org));
    expect([reply.status, reply.json.errorCode]).toEqual([status, errorCode]);
    expect(reply.headers.get('www-authenticate')).toBeNull();
  });

  it.each([true, false])('limits an organization (Retry-After: %s)', async (sendRetryAfter) => {
    emulator.seed({ settings: { rateLimit: { capacity: 2, refillPerMinute: 600, sendRetryAfter } } });
    expect([(await create()).status, (await create()).status]).toEqual([201, 201]);
    const limited = await create();
    expect([limited.status, limited.json.errorCode]).toEqual([429, 'RATE_LIMITED']);
    expect(limited.headers.get('retry-after')).toBe(sendRetryAfter ? '1' : null);
    expect(limited.headers.get('ratelimit-remaining')).toBe('0');
    await sleep(150);
    expect((await create()).status).toBe(201);
  });
});

describe('the siblings', () => {
  it('removes the link once', async () => {
    await create();
    const remove = async () =>
      call('DELETE', LINK_TOKENS, { authorization: await bearer(), accept: VERSIONED });
    expect((await remove()).status).toBe(204);
    const again = await remove();
    expect([again.status, again.json.detail]).toEqual([
      404,
      'Could not find the requested external organization link.',
    ]);
    expect(emulator.createdTokens()).toMatchObject([{ removed: true }]);
  });

  it('lists the organization of the credential, and no projects', async () => {
    const headers = { authorization: await bearer(), accept: VERSIONED };
    const name = DEFAULT_SEED.organizations[0]?.name;
    expect((await call('GET', '/api/atlas/v2/orgs', headers)).json).toEqual({
      links: [],
      results: [{ id: ORG, isDeleted: false, links: [], name }],
      totalCount: 1,
    });
    const projects = LINK_TOKENS.replace('linkTokens', 'availableProjects');
    expect((await call('GET', projects, headers)).json).toEqual([]);
  });
});

describe('Cloud Manager', () => {
  const key = SOURCE_KEY;
  const connect = (linkToken?: string) => signed({ key, uri: MIGRATION_LINK }, JSON.stringify({ linkToken }));
  const poll = () => signed({ key, uri: `${MIGRATION_LINK}/status`, method: 'GET' });

  it('says SYNCED after as many polls as it was told', async () => {
    emulator.seed({ settings: { pollsBeforeSynced: 2 } });
    const { linkToken } = (await create()).json;
    const replies = [await poll(), await connect(linkToken), await poll(), await poll(), await poll()];
    expect(replies.map(({ json }) => json.status)).toEqual([
      'NOT_SYNCED',
      'NOT_SYNCED',
      'NOT_SYNCED',
      'NOT_SYNCED',
      'SYNCED',
    ]);
    expect(emulator.state().migrationLinks).toMatchObject([{ sourceOrgId: SOURCE_ORG, atlasOrgId: ORG }]);
  });

  it('counts the same link-token posted twice as one link, and removes it once', async () => {
    const { linkToken } = (await create()).json;
    expect([(await connect(linkToken)).json, (await connect(linkToken)).json.status]).toEqual([
      { status: 'SYNCED' },
      'SYNCED',
    ]);
    expect(emulator.state().migrationLinks).toMatchObject([{ linkToken, posts: 2 }]);
    const remove = () => signed({ key, uri: MIGRATION_LINK, method: 'DELETE' });
    expect([(await remove()).status, (await remove()).status]).toEqual([204, 404]);
  });

  it('refuses a link-token that was not created here, unless told to take it', async () => {
    expect((await connect('foreign')).status).toBe(400);
    emulator.seed({ settings: { acceptUnknownLinkTokens: true } });
    expect((await connect('foreign')).status).toBe(200);
  });

  it('takes HTTP Digest alone, and the key of the source organization alone', async () => {
    const { status } = await call('POST', MIGRATION_LINK, { authorization: await bearer() }, '{}');
    expect(status).toBe(401);
    expect((await signed({ uri: MIGRATION_LINK })).json.errorCode).toBe('USER_CANNOT_ACCESS_ORG');
  });
});

describe('faults', () => {
  it('hit in their order, each as often as it says, and cost a Digest challenge nothing', async () => {
    emulator.faults([
      { on: 'linkTokens', times: 2, status: 500 },
      { on: 'linkTokens', errorCode: 'ORG_REQUIRES_ACCESS_LIST', detail: 'No.' },
    ]);
    const replies = [await signed({}), await create(), await create(), await create()];
    expect(replies.map(({ status }) => status)).toEqual([500, 500, 403, 201]);
    expect(replies[0]?.json).toMatchObject({ error: 500, errorCode: 'UNEXPECTED_ERROR' });
    expect(replies[2]?.json).toMatchObject({ errorCode: 'ORG_REQUIRES_ACCESS_LIST', detail: 'No.' });
    expect(emulator.createdTokens()).toHaveLength(1);
    expect(emulator.requestsOn('linkTokens').filter(({ challenge }) => !challenge)).toHaveLength(4);
  });

  it('fire by probability without being used up', async () => {
    emulator.faults({ on: 'linkTokens', probability: 1, status: 502 });
    expect([(await create()).status, (await create()).status]).toEqual([502, 502]);
    emulator.clearFaults();
    expect((await create()).status).toBe(201);
  });

  it('can hit callers without a credential too', async () => {
    emulator.faults({ on: 'linkTokens', beforeAuthentication: true, status: 503 });
    expect((await call('POST', LINK_TOKENS, {})).status).toBe(503);
  });

  it("use the token endpoint's own form of an error", async () => {
    emulator.faults({ on: 'oauth', status: 403, errorCode: 'access_denied' });
    const { status, json } = await askForToken();
    expect([status, json]).toMatchObject([403, { error: 'access_denied' }]);
  });

  it.each<[string, object, number, RegExp]>([
    ['HTML', { html: true }, 503, /^<html>/],
    ['an empty body', { status: 503, body: '' }, 503, /^$/],
    ['a body as it is', { status: 201, body: 'not json' }, 201, /^not json$/],
    ['a 2xx without a token', { status: 201, body: {} }, 201, /^\{\}$/],
    ['another success status', { status: 200 }, 200, /linkToken/],
    ['gzip', { gzip: true }, 201, /linkToken/],
    ['a drip', { drip: { bytes: 100, intervalMs: 5 } }, 201, /linkToken/],
    ['a redirect', { status: 302, headers: { Location: 'https://example.com/' } }, 302, /./],
  ])('answer with %s', async (_what, fault, status, text) => {
    emulator.faults({ on: 'linkTokens', ...fault });
    const reply = await create();
    expect(reply.status).toBe(status);
    expect(reply.text).toMatch(text);
  });

  it.each<[string, object, number]>([
    ['reset before an answer', { reset: 'before-body' }, 0],
    ['reset behind the headers', { reset: 'after-headers' }, 1],
    ['reset within the body', { reset: 'mid-body' }, 1],
    ['truncate', { truncate: true }, 1],
    ['lose the answer of a token that was created', { afterCreating: true, reset: 'before-body' }, 1],
  ])('%s', async (_what, fault, created) => {
    emulator.faults({ on: 'linkTokens', ...fault });
    await expect(create()).rejects.toThrow(/fetch failed|terminated/);
    expect(emulator.createdTokens()).toHaveLength(created);
    expect((await create()).status).toBe(201);
  });

  it('answer an error although a token was created', async () => {
    emulator.faults({ on: 'linkTokens', afterCreating: true, status: 504 });
    expect((await create()).status).toBe(504);
    expect(emulator.createdTokens()).toHaveLength(1);
  });

  it.each([
    [true, 1],
    [false, 0],
  ])('delay the answer (afterCreating: %s)', async (afterCreating, createdMeanwhile) => {
    emulator.faults({ on: 'linkTokens', delayMs: 200, afterCreating });
    const slow = create();
    await sleep(100);
    expect(emulator.createdTokens()).toHaveLength(createdMeanwhile);
    expect((await slow).status).toBe(201);
    expect(emulator.createdTokens()).toHaveLength(1);
  });
});

describe('the control endpoint', () => {
  const control = (method: string, path: string, body?: unknown) =>
    call(method, `/_emulator/${path}`, {}, body === undefined ? undefined : JSON.stringify(body));

  it('takes every fault that --help gives as an example, and prints each', async () => {
    for (const [what, fault] of FAULT_EXAMPLES) {
      expect([what, (await control('POST', 'faults', fault)).status]).toEqual([what, 200]);
      expect(HELP).toContain(JSON.stringify(fault));
    }
    expect((await control('GET', 'state')).json.faults).toHaveLength(FAULT_EXAMPLES.length);
    expect((await control('DELETE', 'faults')).status).toBe(204);
    expect(emulator.state().faults).toEqual([]);
  });

  it.each([
    ['faults', { on: 'nowhere' }, /expected one of/],
    ['faults', { on: 'oauth', sttus: 500 }, /Unrecognized key: "sttus"/],
    ['faults', { on: 'oauth', times: 1, probability: 0.5 }, /times or probability/],
    ['faults', { on: 'oauth', truncate: true, reset: 'mid-body' }, /one of reset, truncate and drip/],
    ['faults', { on: 'oauth', headers: { 'X-A': 'a\r\nb' } }, /printable ASCII/],
    ['state', { organisations: [] }, /Unrecognized key: "organisations"/],
    ['state', { organizations: [], sourceOrganizations: [] }, /is in neither/],
    ['expire', 'everything', /expected one of/],
  ])('refuses to change %s by %j', async (path, body, message) => {
    const { status, json } = await control(path === 'state' ? 'PUT' : 'POST', path, body);
    expect(status).toBe(400);
    expect(json.error).toMatch(message);
  });

  it('shows no secret', async () => {
    await create();
    await signed({});
    const shown = (await control('GET', 'state')).text + (await control('GET', 'requests')).text;
    for (const secret of [clientSecret, ATLAS_KEY.privateKey, SOURCE_KEY.privateKey, 'Bearer ', 'eyJ']) {
      expect(shown).not.toContain(secret);
    }
    for (const { linkToken } of emulator.createdTokens()) expect(shown).toContain(linkToken);
  });

  it('counts requests, its own excepted', async () => {
    await create();
    await call('GET', '/nowhere', {});
    expect((await control('GET', 'requests')).json.counts).toEqual({ oauth: 1, linkTokens: 1, unknown: 1 });
  });

  it('ends access tokens and nonces at once', async () => {
    const authorization = await bearer();
    const nonce = await freshNonce();
    await control('POST', 'expire', 'accessTokens');
    await control('POST', 'expire', 'nonces');
    expect((await create('{}', { authorization })).status).toBe(401);
    expect((await signed({ nonce })).headers.get('www-authenticate')).toContain('stale=true');
  });

  it('rotates a secret without forgetting what has happened, and goes back on reset', async () => {
    await create();
    const rotated = { clientId, clientSecret: 'rotated', orgId: ORG };
    expect((await control('PUT', 'state', { serviceAccounts: [rotated] })).status).toBe(200);
    expect([(await askForToken()).status, (await askForToken(clientId, 'rotated')).status]).toEqual([
      401, 200,
    ]);
    expect(emulator.createdTokens()).toHaveLength(1);
    await control('POST', 'reset');
    expect([(await askForToken()).status, emulator.createdTokens().length]).toEqual([200, 0]);
  });
});

describe('the server', () => {
  it('closes within 100 ms while a request hangs', async () => {
    const second = await startAtlasEmulator();
    second.faults({ on: 'oauth', delayMs: 60_000 });
    const hanging = fetch(`${second.url}/api/oauth/token`, { method: 'POST' }).catch(
      (error: unknown) => error,
    );
    while (second.requests().length === 0) await sleep(5);
    const start = performance.now();
    await second.close();
    expect(performance.now() - start).toBeLessThan(100);
    expect(await hanging).toMatchObject({ message: 'fetch failed' });
  });

  it('speaks HTTPS', async () => {
    const { private: privateKey, cert } = await generate([{ name: 'commonName', value: 'localhost' }]);
    const secure = await startAtlasEmulator({ https: { key: privateKey, cert } });
    const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
    const { statusCode } = await undiciRequest(`${secure.url}/_emulator/state`, { dispatcher });
    expect([secure.url, statusCode]).toEqual([expect.stringMatching(/^https:/), 200]);
    await dispatcher.destroy();
    await secure.close();
  });

  it('refuses a port in use, and a bad seed', async () => {
    const port = Number(new URL(emulator.url).port);
    await expect(startAtlasEmulator({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(startAtlasEmulator({ seed: { nothing: 1 } as SeedInput })).rejects.toThrow(/nothing/);
  });
});
