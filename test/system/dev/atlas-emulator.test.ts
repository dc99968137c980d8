import { DEFAULTS, DEFAULT_SEED, startAtlasEmulator, type AtlasEmulator } from '../../../dev/atlas-emulator';
import { FAULT_EXAMPLES } from '../../../dev/atlas-emulator/cli';
import { createDigest } from '../../../src/http/digest';

const { orgId: ORG, apiKey: KEY } = DEFAULTS;
const { clientId, clientSecret } = DEFAULTS.serviceAccount;
const LINK_TOKENS = `/api/atlas/v2/orgs/${ORG}/liveMigrations/linkTokens`;
const VERSIONED = 'application/vnd.atlas.2023-01-01+json';

let emulator: AtlasEmulator;
beforeAll(async () => void (emulator = await startAtlasEmulator()));
beforeEach(() => emulator.reset());
afterAll(() => emulator.close());

type Headers = Record<string, string>;

async function post(path: string, headers: Headers = {}, body = '{}') {
  const response = await fetch(emulator.url + path, { method: 'POST', headers, body });
  const text = await response.text();
  const json = (/^[[{]/.test(text) ? JSON.parse(text) : {}) as Record<string, unknown>;
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    code: json['errorCode'] ?? json['error'],
    json,
  };
}

function getToken(id = clientId) {
  const authorization = `Basic ${Buffer.from(`${id}:${clientSecret}`).toString('base64')}`;
  const form = { 'content-type': 'application/x-www-form-urlencoded', authorization };
  return post('/api/oauth/token', form, 'grant_type=client_credentials');
}

async function create(body = '{}', headers: Headers = {}, path = LINK_TOKENS) {
  const authorization = `Bearer ${String((await getToken()).json['access_token'])}`;
  const usual = { accept: VERSIONED, 'content-type': 'application/json', authorization };
  return post(path, { ...usual, ...headers }, body);
}

it('refuses a client id that is URL-encoded, and the 101st live access token', async () => {
  const encoded = await getToken(clientId.replaceAll('_', '%5F'));
  expect(encoded).toMatchObject({ status: 401, code: 'invalid_client' });
  await Promise.all(Array.from({ length: 100 }, () => getToken()));
  expect(await getToken()).toMatchObject({ status: 403, code: 'access_denied' });
});

it('sends the recorded Digest challenge, and accepts a signature once and for its own path', async () => {
  const challenge = (stale: boolean) => ({
    status: 401,
    headers: {
      'www-authenticate': expect.stringMatching(
        `^Digest realm="MMS Public API", domain="", nonce="[\\w-]+", algorithm=MD5, qop="auth", stale=${stale}$`,
      ),
    },
  });
  expect(await post(LINK_TOKENS)).toMatchObject(challenge(false));
  const secretOf = (text: string) => ({ source: 'the test', read: () => text });
  const withDigest = createDigest(secretOf(KEY.publicKey), secretOf(KEY.privateKey));
  const headers = { accept: VERSIONED, 'content-type': 'application/json' };
  const sent: Headers[] = [];
  await withDigest({ method: 'POST', uri: LINK_TOKENS, headers }, async (signed) => {
    sent.push(signed);
    expect(await post(`${LINK_TOKENS}?pretty=true`, signed)).toMatchObject(challenge(false));
    const { status, headers: received } = await post(LINK_TOKENS, signed);
    return { status, challenge: received['www-authenticate'] ?? null };
  });
  expect(await post(LINK_TOKENS, sent.at(-1))).toMatchObject(challenge(false));
  emulator.expire('nonces');
  expect(await post(LINK_TOKENS, sent.at(-1))).toMatchObject(challenge(true));
  expect(emulator.createdTokens()).toHaveLength(1);
});

it('sends the recorded response to a request for a link-token, keeps the token, and limits the rate', async () => {
  emulator.seed({ settings: { rateLimit: { capacity: 1, refillPerMinute: 0.001 } } });
  const { status, headers, json } = await create('{"accessListIps":["192.31.196.7"]}');
  expect(status).toBe(201);
  expect(headers).toMatchObject({
    'content-type': `${VERSIONED};charset=utf-8`,
    'ratelimit-limit': '1',
    'ratelimit-remaining': '0',
  });
  expect(json).toEqual({ linkToken: expect.stringMatching(/^[\w+/]{300,}=*$/) });
  const facts = { orgId: ORG, accessListIps: ['192.31.196.7'], credential: clientId, removed: false };
  expect(emulator.createdTokens()).toEqual([{ ...json, ...facts, createdAt: expect.any(String) }]);
  const limited = await create();
  expect(limited).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
  expect(limited.headers['retry-after']).toMatch(/^(60000|599\d\d)$/);
});

const ENTRIES = '{"accessListIps":["10.0.0.0/8","2001:4:112::/48","::1"]}';

it.each<[status: number, code: string | undefined, body: string, headers?: Headers]>([
  [201, undefined, ENTRIES, { accept: 'application/vnd.atlas.2025-02-19+json', 'content-type': VERSIONED }],
  [406, 'INVALID_VERSION_DATE', '{}', { accept: 'application/json' }],
  [406, 'INVALID_VERSION_DATE', '{}', { accept: 'application/vnd.atlas.2022-12-31+json' }],
  [410, 'VERSION_WITHDRAWN', '{}', { accept: 'application/vnd.atlas.2022-09-09+json' }],
  [415, 'UNSUPPORTED_MEDIA_TYPE', '{}', { 'content-type': 'text/plain' }],
  [400, 'INVALID_JSON', '{'],
  [400, 'VALIDATION_ERROR', '{"accessListIps":"1.2.3.4"}'],
  [400, 'INVALID_IP_ADDRESS_OR_CIDR_NOTATION', '{"accessListIps":["10.0.0.0/33"]}'],
])('responds with %d %s to the body %s (%#)', async (status, code, body, headers = {}) => {
  const reply = await create(body, headers);
  expect(reply).toMatchObject({ status, code });
  expect(emulator.createdTokens()).toHaveLength(status === 201 ? 1 : 0);
  const members = ['badRequestDetail', 'detail', 'error', 'errorCode', 'parameters', 'reason'];
  if (code) expect(Object.keys(reply.json).sort()).toEqual(members);
});

const OTHER = '64f1c0ffee5eed0000000b72';

it.each([
  ['ABC', 404, 'INVALID_ORG_ID'],
  ['64f1c0ffee5eed0000000c73', 404, 'ORG_NOT_FOUND'],
  [OTHER, 401, 'USER_CANNOT_ACCESS_ORG'],
  [ORG, 401, 'NOT_ORG_OWNER'],
])('refuses organization %s without a challenge: %d %s', async (org, status, code) => {
  emulator.seed({
    organizations: [...DEFAULT_SEED.organizations, { id: OTHER, name: 'Other' }],
    serviceAccounts: [{ clientId, clientSecret, orgId: ORG, roles: ['ORG_MEMBER'] }],
  });
  const reply = await create('{}', {}, LINK_TOKENS.replace(ORG, org));
  expect(reply).toMatchObject({ status, code });
  expect(reply.headers).not.toHaveProperty('www-authenticate');
});

it('takes every fault that --help gives as an example', async () => {
  for (const [, fault] of FAULT_EXAMPLES) {
    expect(await post('/_emulator/faults', {}, JSON.stringify(fault))).toMatchObject({ status: 200 });
  }
  expect(emulator.state().faults).toHaveLength(FAULT_EXAMPLES.length);
});
