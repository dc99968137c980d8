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
} from '../../../dev/atlas-emulator';
import { FAULT_EXAMPLES, HELP } from '../../../dev/atlas-emulator/cli';
import { eventually } from '../../support/eventually';

const { orgId: ORG, sourceOrgId: SOURCE_ORG, apiKey: ATLAS_KEY, sourceApiKey: SOURCE_KEY } = DEFAULTS;
const { clientId, clientSecret } = DEFAULTS.serviceAccount;
const ORGS = '/api/atlas/v2/orgs';
const LINK_TOKENS = `${ORGS}/${ORG}/liveMigrations/linkTokens`;
const MIGRATION_LINK = `/api/public/v1.0/orgs/${SOURCE_ORG}/liveExport/migrationLink`;
const VERSIONED = 'application/vnd.atlas.2023-01-01+json';
const USUAL_HEADERS = { accept: VERSIONED, 'content-type': 'application/json' };

const aString = expect.any(String);

interface Reply {
  status: number;
  headers: Headers;
  text: string;
  /** Empty when the response is not JSON. */
  json: Record<string, unknown>;
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
  headers: Record<string, string> = {},
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

const summary = ({ status, json: { error, errorCode } }: Reply) => [status, errorCode ?? error];

const basic = (id = clientId, secret = clientSecret) => ({
  authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
});

function oauth(
  path: 'token' | 'revoke',
  form: Record<string, string>,
  headers: Record<string, string> = basic(),
): Promise<Reply> {
  const contentType = { 'content-type': 'application/x-www-form-urlencoded' };
  return call(
    'POST',
    `/api/oauth/${path}`,
    { ...contentType, ...headers },
    String(new URLSearchParams(form)),
  );
}

const grant = { grant_type: 'client_credentials' };
const getToken = (id?: string, secret?: string) => oauth('token', grant, basic(id, secret));

async function bearer(): Promise<{ authorization: string }> {
  return { authorization: `Bearer ${String((await getToken()).json['access_token'])}` };
}

/** POSTs linkTokens, with a new bearer token unless the headers have one. */
async function create(
  body = '{"accessListIps":["192.31.196.7"]}',
  headers: Record<string, string> = {},
  path = LINK_TOKENS,
): Promise<Reply> {
  const authorization = headers['authorization'] ? {} : await bearer();
  return call('POST', path, { ...USUAL_HEADERS, ...authorization, ...headers }, body);
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
  const { headers } = await call('POST', LINK_TOKENS);
  return /nonce="([^"]+)"/.exec(headers.get('www-authenticate') ?? '')?.[1] ?? 'none';
}

async function signed(signing: Omit<Signing, 'nonce'> & { nonce?: string }, body = '{}'): Promise<Reply> {
  const { method = 'POST', uri = LINK_TOKENS } = signing;
  const authorization = sign({ nonce: await freshNonce(), ...signing });
  return call(method, uri, { ...USUAL_HEADERS, authorization }, method === 'POST' ? body : undefined);
}

describe('the token endpoint', () => {
  const inForm = { ...grant, client_id: clientId, client_secret: clientSecret };
  it.each<[string, () => Promise<Reply>]>([
    ['HTTP Basic', () => getToken()],
    ['the form, to which Go falls back', () => oauth('token', inForm, {})],
  ])('issues an access token of an hour for credentials in %s', async (_where, request) => {
    const { status, json } = await request();
    expect([status, json]).toEqual([200, { access_token: aString, expires_in: 3600, token_type: 'Bearer' }]);
  });

  it.each<[string, () => Promise<Reply>, number, string]>([
    ['a wrong secret', () => getToken(clientId, 'wrong'), 401, 'invalid_client'],
    ['an unknown account', () => getToken('mdb_sa_id_0'), 401, 'invalid_client'],
    ['a url-encoded id', () => getToken(clientId.replaceAll('_', '%5F')), 401, 'invalid_client'],
    ['another grant', () => oauth('token', { grant_type: 'password' }), 400, 'unsupported_grant_type'],
    ['a body that is no form', () => call('POST', '/api/oauth/token', {}, '{}'), 400, 'invalid_request'],
    ['a revocation without a token', () => oauth('revoke', {}), 400, 'invalid_request'],
  ])('refuses %s', async (_what, request, status, error) => {
    expect(summary(await request())).toEqual([status, error]);
  });

  it('refuses the 101st live token, and issues one again after a revocation', async () => {
    const [first] = await Promise.all(Array.from({ length: 100 }, () => bearer()));
    expect(summary(await getToken())).toEqual([403, 'access_denied']);

    const token = first?.authorization.slice('Bearer '.length) ?? '';
    expect((await oauth('revoke', { token })).status).toBe(200);
    expect((await create('{}', first)).status).toBe(401);
    expect(emulator.state().serviceAccounts).toMatchObject([{ liveAccessTokens: 99 }]);
    expect((await getToken()).status).toBe(200);
  });

  it('refuses a token whose time is over', async () => {
    emulator.seed({ settings: { accessTokenLifetimeSeconds: 1 } });
    const authorization = await bearer();
    await sleep(1050);
    expect((await create('{}', authorization)).status).toBe(401);
  });
});

describe('HTTP Digest', () => {
  const challengeOf = ({ headers }: Reply) => headers.get('www-authenticate');

  it('sends the recorded challenge', async () => {
    const reply = await call('POST', LINK_TOKENS);
    expect(reply.status).toBe(401);
    expect(challengeOf(reply)).toMatch(
      /^Digest realm="MMS Public API", domain="", nonce="[\w-]+", algorithm=MD5, qop="auth", stale=false$/,
    );
    expect(emulator.requests()).toMatchObject([{ on: 'linkTokens', status: 401, challenge: true }]);
  });

  it('accepts each count of a nonce once, also when requests overtake each other', async () => {
    const nonce = await freshNonce();
    for (const nc of ['00000001', '00000003', '00000002', '0000000a']) {
      expect((await signed({ nonce, nc })).status).toBe(201);
    }
    const replayed = await signed({ nonce, nc: '00000003' });
    expect([replayed.status, challengeOf(replayed)]).toEqual([401, expect.stringContaining('stale=false')]);
  });

  const wrongKey = { ...ATLAS_KEY, privateKey: 'wrong' };
  it.each<[string, Partial<Signing>, string]>([
    ['a wrong private key', { key: wrongKey }, 'stale=false'],
    ['a wrong private key and an unknown nonce', { key: wrongKey, nonce: 'x' }, 'stale=false'],
    ['an unknown public key', { key: { publicKey: 'nobodyyy', privateKey: 'x' } }, 'stale=false'],
    ['a nonce it never issued', { nonce: 'invented' }, 'stale=true'],
    ['a count that is no hexadecimal number', { nc: 'first' }, 'stale=false'],
  ])('sends a new challenge after %s', async (_what, signing, stale) => {
    const reply = await signed(signing);
    expect([reply.status, challengeOf(reply)]).toEqual([401, expect.stringContaining(stale)]);
    expect(emulator.createdTokens()).toEqual([]);
  });

  it('refuses a signature of another path', async () => {
    const headers = { ...USUAL_HEADERS, authorization: sign({ nonce: await freshNonce() }) };
    expect((await call('POST', `${LINK_TOKENS}?pretty=true`, headers, '{}')).status).toBe(401);
    expect((await call('POST', LINK_TOKENS, headers, '{}')).status).toBe(201);
  });

  it('calls an expired nonce stale', async () => {
    emulator.seed({ settings: { nonceLifetimeMs: 50 } });
    const nonce = await freshNonce();
    await sleep(60);
    expect(challengeOf(await signed({ nonce }))).toContain('stale=true');
  });
});

describe('creating a link-token', () => {
  it('sends the recorded response, and keeps the token', async () => {
    const { status, headers, json } = await create();
    expect(status).toBe(201);
    expect(headers.get('content-type')).toBe(`${VERSIONED};charset=utf-8`);
    expect([headers.get('ratelimit-limit'), headers.get('ratelimit-remaining')]).toEqual(['500', '499']);
    expect(json).toEqual({ linkToken: expect.stringMatching(/^[\w+/]{300,}=*$/) });
    const facts = { orgId: ORG, accessListIps: ['192.31.196.7'], credential: clientId, removed: false };
    expect(emulator.createdTokens()).toEqual([{ ...json, ...facts, createdAt: aString }]);
  });

  it.each<[string, string, number, object]>([
    ['envelope=true', '{}', 200, { status: 201, content: { linkToken: aString } }],
    ['envelope=true', '{', 200, { status: 400, content: { errorCode: 'INVALID_JSON' } }],
    ['pretty=true', '{}', 201, { linkToken: aString }],
    ['envelope=false&pretty=false', '{}', 201, { linkToken: aString }],
  ])('understands ?%s with the body %s', async (query, body, status, expected) => {
    const reply = await create(body, {}, `${LINK_TOKENS}?${query}`);
    expect(reply).toMatchObject({ status, json: expected });
    expect(reply.text.includes('\n  "')).toBe(query === 'pretty=true');
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
  ])('responds to %s as Atlas does', async (_what, headers, status) => {
    expect((await create('{}', headers)).status).toBe(status);
  });

  it('responds 410 when the requested version resolves to a withdrawn one', async () => {
    emulator.seed({ settings: { withdrawnVersions: ['2023-01-01'] } });
    expect((await create('{}', { accept: 'application/vnd.atlas.2025-02-19+json' })).status).toBe(410);
  });

  it.each([
    ['{"accessListIps":[]}', 201, undefined],
    ['{}', 201, undefined],
    ['{"accessListIps":["10.0.0.0/8","2001:4:112::/48","::1"]}', 201, undefined],
    ['', 400, 'INVALID_JSON'],
    ['{"accessListIps":', 400, 'INVALID_JSON'],
    ['[]', 400, 'VALIDATION_ERROR'],
    ['{"accessListIps":"1.2.3.4"}', 400, 'VALIDATION_ERROR'],
    ['{"other":1}', 400, 'VALIDATION_ERROR'],
    ['{"accessListIps":["host.example"]}', 400, 'INVALID_IP_ADDRESS_OR_CIDR_NOTATION'],
    ['{"accessListIps":["10.0.0.0/33"]}', 400, 'INVALID_IP_ADDRESS_OR_CIDR_NOTATION'],
    ['{"accessListIps":["10.0.0.0/"]}', 400, 'INVALID_IP_ADDRESS_OR_CIDR_NOTATION'],
    ['{"accessListIps":["10.0.0.0/8/8"]}', 400, 'INVALID_IP_ADDRESS_OR_CIDR_NOTATION'],
  ])('responds to the body %s with %d', async (body, status, errorCode) => {
    expect(summary(await create(body))).toEqual([status, errorCode]);
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

  it('refuses IPv6 when the seed says so', async () => {
    emulator.seed({ settings: { rejectIpv6: true } });
    const { json } = await create('{"accessListIps":["2001:4:112::1"]}');
    expect(json).toMatchObject({ errorCode: 'IPV6_UNSUPPORTED', parameters: ['2001:4:112::1'] });
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
    expect(summary(reply)).toEqual([status, errorCode]);
    expect(reply.headers.get('www-authenticate')).toBeNull();
  });

  it.each([true, false])('limits the rate of an organization (Retry-After: %s)', async (sendRetryAfter) => {
    const refillPerMinute = 0.001;
    emulator.seed({ settings: { rateLimit: { capacity: 2, refillPerMinute, sendRetryAfter } } });
    expect([(await create()).status, (await create()).status]).toEqual([201, 201]);
    const limited = await create();
    expect(summary(limited)).toEqual([429, 'RATE_LIMITED']);
    const wait = limited.headers.get('retry-after');
    expect(wait).toEqual(sendRetryAfter ? expect.stringMatching(/^(60000|599\d\d)$/) : null);
    expect(limited.headers.get('ratelimit-remaining')).toBe('0');
    emulator.seed({ settings: { rateLimit: { capacity: 2, refillPerMinute: 1e9 } } });
    expect((await create()).status).toBe(201);
  });
});

describe('the other routes of Atlas', () => {
  const atlas = async (method: string, path: string) =>
    call(method, path, { ...(await bearer()), accept: VERSIONED });

  it('removes the link once', async () => {
    await create();
    expect((await atlas('DELETE', LINK_TOKENS)).status).toBe(204);
    const detail = 'Could not find the requested external organization link.';
    expect(await atlas('DELETE', LINK_TOKENS)).toMatchObject({ status: 404, json: { detail } });
    expect(emulator.createdTokens()).toMatchObject([{ removed: true }]);
  });

  const organization = { id: ORG, isDeleted: false, links: [], name: DEFAULT_SEED.organizations[0]?.name };
  it.each<[string, object]>([
    ['', { links: [], results: [organization], totalCount: 1 }],
    ['?envelope=true', { links: [], results: [organization], totalCount: 1, status: 200 }],
    ['?itemsPerPage=1&pageNum=1', { links: [], results: [organization], totalCount: 1 }],
    ['?itemsPerPage=1&pageNum=2', { links: [], results: [], totalCount: 1 }],
  ])('lists the organization of the credential in pages: orgs%s', async (query, expected) => {
    expect((await atlas('GET', ORGS + query)).json).toEqual(expected);
  });

  it('lists no projects', async () => {
    const { status, json } = await atlas('GET', LINK_TOKENS.replace('linkTokens', 'availableProjects'));
    expect([status, json]).toEqual([200, []]);
  });
});

describe('Cloud Manager', () => {
  const key = SOURCE_KEY;
  const connect = (linkToken: unknown) => signed({ key, uri: MIGRATION_LINK }, JSON.stringify({ linkToken }));
  const poll = () => signed({ key, uri: `${MIGRATION_LINK}/status`, method: 'GET' });
  const remove = () => signed({ key, uri: MIGRATION_LINK, method: 'DELETE' });
  const newLinkToken = async () => (await create()).json['linkToken'];

  it('says SYNCED after as many polls as the seed says', async () => {
    emulator.seed({ settings: { pollsBeforeSynced: 2 } });
    const linkToken = await newLinkToken();
    const replies = [await poll(), await connect(linkToken), await poll(), await poll(), await poll()];
    const statuses = replies.map(({ json }) => json['status']);
    expect(statuses).toEqual(['NOT_SYNCED', 'NOT_SYNCED', 'NOT_SYNCED', 'NOT_SYNCED', 'SYNCED']);
    expect(emulator.state().migrationLinks).toMatchObject([{ sourceOrgId: SOURCE_ORG, atlasOrgId: ORG }]);
  });

  it('counts the same link-token posted twice as one link, and removes it once', async () => {
    const linkToken = await newLinkToken();
    const replies = [await connect(linkToken), await connect(linkToken)];
    expect(replies.map(({ json }) => json)).toEqual([{ status: 'SYNCED' }, { status: 'SYNCED' }]);
    expect(emulator.state().migrationLinks).toMatchObject([{ linkToken, posts: 2 }]);
    expect([(await remove()).status, (await remove()).status]).toEqual([204, 404]);
  });

  it('refuses a link-token that was not created here, unless the seed says otherwise', async () => {
    expect((await connect('foreign')).status).toBe(400);
    emulator.seed({ settings: { acceptUnknownLinkTokens: true } });
    expect((await connect('foreign')).status).toBe(200);
  });

  it('accepts HTTP Digest only, and the key of the source organization only', async () => {
    expect((await call('POST', MIGRATION_LINK, await bearer(), '{}')).status).toBe(401);
    expect(summary(await signed({ uri: MIGRATION_LINK }))).toEqual([401, 'USER_CANNOT_ACCESS_ORG']);
  });
});

describe('faults', () => {
  it('hit in their order, each as often as it says, and a Digest challenge uses up none', async () => {
    emulator.faults([
      { on: 'linkTokens', times: 2, status: 500 },
      { on: 'linkTokens', errorCode: 'ORG_REQUIRES_ACCESS_LIST', detail: 'No.' },
      { on: 'linkTokens', errorCode: 'NEVER_RECORDED' },
    ]);
    const replies = [await signed({}), await create(), await create(), await create(), await create()];
    expect(replies.map(summary)).toEqual([
      [500, 'UNEXPECTED_ERROR'],
      [500, 'UNEXPECTED_ERROR'],
      [403, 'ORG_REQUIRES_ACCESS_LIST'],
      [500, 'NEVER_RECORDED'],
      [201, undefined],
    ]);
    expect(replies[2]?.json['detail']).toBe('No.');
    expect(emulator.createdTokens()).toHaveLength(1);
    expect(emulator.requestsOn('linkTokens').filter(({ challenge }) => !challenge)).toHaveLength(5);
  });

  it('fire by probability without being used up', async () => {
    emulator.faults({ on: 'linkTokens', probability: 1, status: 502 });
    expect([(await create()).status, (await create()).status]).toEqual([502, 502]);
    emulator.clearFaults();
    expect((await create()).status).toBe(201);
  });

  it('can hit callers without a credential too', async () => {
    emulator.faults({ on: 'linkTokens', beforeAuthentication: true, status: 503 });
    expect((await call('POST', LINK_TOKENS)).status).toBe(503);
  });

  it("use the token endpoint's own form of an error", async () => {
    emulator.faults({ on: 'oauth', status: 403, errorCode: 'access_denied' });
    expect(await getToken()).toMatchObject({ status: 403, json: { error: 'access_denied' } });
  });

  it('hit one organization only, where they name it', async () => {
    emulator.faults([
      { on: 'oauth', orgId: 'another', status: 500 },
      { on: 'linkTokens', orgId: 'another', status: 500 },
      { on: 'linkTokens', orgId: ORG, status: 503 },
      { on: 'oauth', orgId: ORG, status: 502 },
    ]);
    expect((await getToken()).status).toBe(502);
    expect((await create()).status).toBe(503);
    expect((await create()).status).toBe(201);
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
    ['an error although a token was created', { afterCreating: true, status: 504 }, 504, /UNEXPECTED_ERROR/],
  ])('respond with %s', async (what, fault, status, text) => {
    emulator.faults({ on: 'linkTokens', ...fault });
    const reply = await create();
    expect([reply.status, reply.text]).toEqual([status, expect.stringMatching(text)]);
    const isCreated = reply.text.includes('linkToken') || what.endsWith('created');
    expect(emulator.createdTokens()).toHaveLength(isCreated ? 1 : 0);
  });

  it.each<[string, object, number]>([
    ['reset before the response', { reset: 'before-body' }, 0],
    ['reset after the headers', { reset: 'after-headers' }, 1],
    ['reset within the body', { reset: 'mid-body' }, 1],
    ['truncate', { truncate: true }, 1],
    ['lose the response of a token that was created', { afterCreating: true, reset: 'before-body' }, 1],
  ])('%s', async (_what, fault, created) => {
    emulator.faults({ on: 'linkTokens', ...fault });
    await expect(create()).rejects.toThrow(/fetch failed|terminated/);
    expect(emulator.createdTokens()).toHaveLength(created);
    expect((await create()).status).toBe(201);
  });

  it.each([
    [true, 1],
    [false, 0],
  ])('delay the response (afterCreating: %s)', async (afterCreating, createdMeanwhile) => {
    const authorization = await bearer();
    emulator.faults({ on: 'linkTokens', delayMs: 300, afterCreating });
    const slow = create('{}', authorization);
    await eventually('the request', () => emulator.requestsOn('linkTokens').length === 1);
    expect(emulator.createdTokens()).toHaveLength(createdMeanwhile);
    expect((await slow).status).toBe(201);
    expect(emulator.createdTokens()).toHaveLength(1);
  });
});

describe('the control endpoints', () => {
  const control = (method: string, path: string, body?: unknown) =>
    call(method, `/_emulator/${path}`, {}, body === undefined ? undefined : JSON.stringify(body));

  it('take every fault that --help gives as an example, and it prints each', async () => {
    for (const [what, fault] of FAULT_EXAMPLES) {
      expect([what, (await control('POST', 'faults', fault)).status]).toEqual([what, 200]);
      expect(HELP).toContain(JSON.stringify(fault));
    }
    expect((await control('GET', 'state')).json['faults']).toHaveLength(FAULT_EXAMPLES.length);
    expect((await control('DELETE', 'faults')).status).toBe(204);
    expect(emulator.state().faults).toEqual([]);
  });

  it.each([
    ['faults', { on: 'nowhere' }, /expected one of/],
    ['faults', { on: 'oauth', sttus: 500 }, /Unrecognized key: "sttus"/],
    ['faults', { on: 'oauth', times: 1, probability: 0.5 }, /times or probability/],
    ['faults', { on: 'oauth', truncate: true, reset: 'mid-body' }, /one of reset, truncate and drip/],
    ['faults', { on: 'oauth', html: true, body: '' }, /one of html, body and errorCode/],
    ['faults', { on: 'oauth', headers: { 'X-A': 'a\r\nb' } }, /printable ASCII/],
    ['state', { organisations: [] }, /Unrecognized key: "organisations"/],
    ['state', { organizations: [], sourceOrganizations: [] }, /is in neither/],
    ['expire', 'everything', /expected one of/],
  ])('refuse to change %s by %j', async (path, body, message) => {
    const { status, json } = await control(path === 'state' ? 'PUT' : 'POST', path, body);
    expect([status, json]).toEqual([400, { error: expect.stringMatching(message) }]);
  });

  it('refuse what is not JSON', async () => {
    const { status, json } = await call('POST', '/_emulator/faults', {}, '{');
    expect([status, json]).toEqual([400, { error: expect.stringMatching(/^not JSON: /) }]);
  });

  it('show no secret', async () => {
    await create();
    await signed({});
    const shown = (await control('GET', 'state')).text + (await control('GET', 'requests')).text;
    for (const secret of [clientSecret, ATLAS_KEY.privateKey, SOURCE_KEY.privateKey, 'Bearer ', 'eyJ']) {
      expect(shown).not.toContain(secret);
    }
    for (const { linkToken } of emulator.createdTokens()) expect(shown).toContain(linkToken);
  });

  it('count requests, their own excepted', async () => {
    await create();
    expect(summary(await call('GET', '/nowhere'))).toEqual([404, 'RESOURCE_NOT_FOUND']);
    const { counts } = (await control('GET', 'requests')).json;
    expect(counts).toEqual({ oauth: 1, linkTokens: 1, unknown: 1 });
  });

  it('expire access tokens and nonces at once', async () => {
    const authorization = await bearer();
    const nonce = await freshNonce();
    await control('POST', 'expire', 'accessTokens');
    await control('POST', 'expire', 'nonces');
    expect((await create('{}', authorization)).status).toBe(401);
    expect((await signed({ nonce })).headers.get('www-authenticate')).toContain('stale=true');
  });

  it('rotate a secret without forgetting what has happened, and go back on reset', async () => {
    await create();
    const rotated = { clientId, clientSecret: 'rotated', orgId: ORG };
    expect((await control('PUT', 'state', { serviceAccounts: [rotated] })).status).toBe(200);
    expect([(await getToken()).status, (await getToken(clientId, 'rotated')).status]).toEqual([401, 200]);
    expect(emulator.createdTokens()).toHaveLength(1);
    expect((await control('POST', 'reset')).status).toBe(204);
    expect([(await getToken()).status, emulator.createdTokens().length]).toEqual([200, 0]);
  });
});

describe('the server', () => {
  it('closes without waiting for a request that hangs', async () => {
    const second = await startAtlasEmulator();
    second.faults({ on: 'oauth', delayMs: 60_000 });
    const request = fetch(`${second.url}/api/oauth/token`, { method: 'POST' });
    const failure = request.catch((error: unknown) => error);
    await eventually('the request', () => second.requests().length === 1);
    await second.close();
    expect(await failure).toMatchObject({ message: 'fetch failed' });
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
