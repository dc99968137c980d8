import {
  DEFAULTS,
  DEFAULT_SEED,
  startAtlasEmulator,
  type AtlasEmulator,
} from '../../../dev/atlas-emulator';
import { FAULT_EXAMPLES } from '../../../dev/atlas-emulator/faults';
import { parseSeed } from '../../../dev/atlas-emulator/seed';
import { createDigest } from '../../../src/http/digest';
import { closeLater } from '../../support/clean-up';

// What the tests of the client use all day is proved there. Here is what would let a wrong client
// pass.

const { orgId: ORG, apiKey, serviceAccount } = DEFAULTS;
const OTHER = '64f1c0ffee5eed0000000b72';
const LINK_TOKENS = `/api/atlas/v2/orgs/${ORG}/liveMigrations/linkTokens`;
const JSON_HEADERS = {
  accept: 'application/vnd.atlas.2023-01-01+json',
  'content-type': 'application/json',
};

let emulator: AtlasEmulator;
beforeAll(async () => {
  const organizations = [...DEFAULT_SEED.organizations, { id: OTHER, name: 'Other' }];
  emulator = closeLater(await startAtlasEmulator({ seed: { organizations } }));
});
beforeEach(() => emulator.reset());

async function post(
  path: string,
  headers: Record<string, string> = {},
  body = '{}',
  method = 'POST',
) {
  const sent = method === 'GET' ? null : body;
  const response = await fetch(emulator.url + path, { method, headers, body: sent });
  const text = await response.text();
  const json = JSON.parse(text || '{}') as Record<string, unknown>;
  return { status: response.status, headers: Object.fromEntries(response.headers), json };
}

function getToken(clientId = serviceAccount.clientId) {
  const basic = Buffer.from(`${clientId}:${serviceAccount.clientSecret}`).toString('base64');
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    authorization: `Basic ${basic}`,
  };
  return post('/api/oauth/token', headers, 'grant_type=client_credentials');
}

async function create(body = '{}', headers = {}, path = LINK_TOKENS, method = 'POST') {
  const authorization = `Bearer ${String((await getToken()).json['access_token'])}`;
  return post(path, { ...JSON_HEADERS, authorization, ...headers }, body, method);
}

it('has no default credential of an organization that a seed leaves out', () => {
  const { serviceAccounts, apiKeys } = parseSeed({
    organizations: [{ id: OTHER, name: 'Other' }],
    serviceAccounts: [],
  });
  expect([serviceAccounts.length, apiKeys.map(({ orgId }) => orgId)]).toEqual([
    0,
    DEFAULT_SEED.sourceOrganizations.map(({ id }) => id),
  ]);
});

it('refuses the eleventh access token of a minute as Atlas does', async () => {
  for (let count = 0; count < 10; count++) expect((await getToken()).status).toBe(200);
  expect(await getToken()).toMatchObject({
    status: 429,
    json: { errorCode: 'RATE_LIMITED', parameters: ['/api/oauth/token', 10, 1] },
  });
});

it('refuses a URL-encoded client id, and the 101st live access token', async () => {
  emulator.seed({ settings: { accessTokensPerMinute: null } });
  const encoded = await getToken(serviceAccount.clientId.replaceAll('_', '%5F'));
  expect(encoded).toMatchObject({ status: 401, json: { error: 'invalid_client' } });
  await Promise.all(Array.from({ length: 100 }, () => getToken()));
  expect(await getToken()).toMatchObject({ status: 403, json: { error: 'access_denied' } });
});

it('accepts a Digest signature once, for its own path', async () => {
  const secretOf = (text: string) => ({ source: 'the test', read: () => text });
  const withDigest = createDigest(secretOf(apiKey.publicKey), secretOf(apiKey.privateKey));
  const statuses: number[] = [];
  await withDigest({ method: 'POST', uri: LINK_TOKENS, headers: JSON_HEADERS }, async (signed) => {
    for (const path of [`${LINK_TOKENS}?pretty=true`, LINK_TOKENS, LINK_TOKENS]) {
      statuses.push((await post(path, signed)).status);
    }
    const { status, headers } = await post(LINK_TOKENS, signed);
    return { status, challenge: headers['www-authenticate'] ?? null };
  });
  expect(statuses).toEqual([401, 401, 401, 401, 201, 401]);
});

it('accepts every form of an entry, and limits the rate', async () => {
  emulator.seed({ settings: { rateLimit: { capacity: 1, refillPerMinute: 0.001 } } });
  expect((await create('{"accessListIps":["10.0.0.0/8","2001:4:112::/48","::1"]}')).status).toBe(
    201,
  );
  const headers = {
    'retry-after': expect.stringMatching(/^(60000|599\d\d)$/),
    'ratelimit-remaining': '0',
  };
  const parameters = [LINK_TOKENS.slice(1), expect.any(Number), 1, 0.001, 60];
  expect(await create()).toMatchObject({ status: 429, headers, json: { parameters } });
});

// Recorded by MongoDB (TestLinkToken and TestEvents in mongodb/mongodb-atlas-cli).
it('makes tokens, keys and events of the recorded form, and removes one key with the link', async () => {
  const keys = `/api/atlas/v2/orgs/${ORG}/apiKeys`;
  interface Page {
    results: Record<string, unknown>[];
  }
  const list = async (path: string) => (await create('', {}, path, 'GET')).json as unknown as Page;
  const withDigest = createDigest(
    { source: 'the test', read: () => apiKey.publicKey },
    { source: 'the test', read: () => apiKey.privateKey },
  );
  await withDigest({ method: 'POST', uri: LINK_TOKENS, headers: JSON_HEADERS }, async (signed) => {
    const { status, headers } = await post(LINK_TOKENS, signed);
    return { status, challenge: headers['www-authenticate'] ?? null };
  });
  const { linkToken } = (await create()).json as { linkToken: string };
  const content = JSON.parse(Buffer.from(linkToken, 'base64').toString()) as object;
  expect(content).toEqual({
    orgId: ORG,
    orgName: DEFAULT_SEED.organizations[0]?.name,
    privateApiKey: expect.stringMatching(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/),
    publicApiKey: expect.stringMatching(/^[a-z]{8}$/),
  });
  const { publicApiKey } = content as { publicApiKey: string };
  const [older, newer] = (await list(keys)).results.slice(-2);
  const form = {
    id: expect.stringMatching(/^[\da-f]{24}$/),
    desc: expect.stringMatching(/^Atlas Migration Service Key - [\da-f]{7}$/),
    privateKey: expect.stringMatching(/^\*{8}-\*{4}-\*{4}-[\da-f]{12}$/),
    roles: [{ orgId: ORG, roleName: 'ORG_OWNER' }],
  };
  expect([older, newer]).toMatchObject([form, { ...form, publicKey: publicApiKey }]);

  const deletion = async () => (await create('', {}, LINK_TOKENS, 'DELETE')).status;
  expect([await deletion(), await deletion()]).toEqual([204, 404]);
  expect((await list(keys)).results.at(-1)).toEqual(older);
  const event = { created: expect.stringMatching(/:\d\dZ$/), orgId: ORG, isGlobalAdmin: false };
  expect((await list(`/api/atlas/v2/orgs/${ORG}/events`)).results).toMatchObject([
    {
      ...event,
      eventTypeName: 'API_KEY_CREATED',
      targetPublicKey: older?.['publicKey'],
      publicKey: apiKey.publicKey,
      apiKeyId: expect.any(String),
      remoteAddress: '127.0.0.1',
    },
    { ...event, eventTypeName: 'API_KEY_CREATED', targetPublicKey: publicApiKey },
    { ...event, eventTypeName: 'API_KEY_DELETED', targetPublicKey: publicApiKey },
  ]);
});

it('responds to the removal of a missing link as Atlas does', async () => {
  const headers = { 'ratelimit-limit': '500', 'ratelimit-remaining': '499' };
  const detail = expect.stringMatching(/^Could not find/);
  const json = { error: 404, errorCode: 'UNEXPECTED_ERROR', detail };
  const response = await create('{}', {}, LINK_TOKENS, 'DELETE');
  expect(response).toMatchObject({ status: 404, headers, json });
  expect(response.json).not.toHaveProperty('badRequestDetail');
});

it('describes an API key as its list does, and responds 404 to an unknown one', async () => {
  await create();
  const keys = `/api/atlas/v2/orgs/${ORG}/apiKeys`;
  const get = (path: string) => create('', {}, path, 'GET');
  const { results } = (await get(keys)).json as { results: { id: string }[] };
  for (const key of results) {
    expect(await get(`${keys}/${key.id}`)).toMatchObject({ status: 200, json: key });
  }
  expect(results.length).toBeGreaterThan(1);
  const unknown = '64f1c0ffee5eed0000000000';
  const json = { errorCode: 'RESOURCE_NOT_FOUND', parameters: [unknown] };
  expect(await get(`${keys}/${unknown}`)).toMatchObject({ status: 404, json });
});

it.each([
  ['another version', 406, 'INVALID_VERSION_DATE', '{}', { accept: 'application/json' }, ORG],
  [
    'another media type',
    415,
    'UNSUPPORTED_MEDIA_TYPE',
    '{}',
    { 'content-type': 'text/plain' },
    ORG,
  ],
  ['a list that is a string', 400, 'VALIDATION_ERROR', '{"accessListIps":"1.2.3.4"}', {}, ORG],
  ['an unknown organization', 404, 'ORG_NOT_FOUND', '{}', {}, '64f1c0ffee5eed0000000c73'],
  ['another organization', 401, 'USER_CANNOT_ACCESS_ORG', '{}', {}, OTHER],
])(
  'responds to a request for %s with %d %s',
  async (_what, status, errorCode, body, headers, org) => {
    const reply = await create(body, headers, LINK_TOKENS.replace(ORG, org));
    expect(reply).toMatchObject({ status, json: { errorCode } });
    expect(reply.headers).not.toHaveProperty('www-authenticate');
    expect(emulator.createdTokens()).toEqual([]);
  },
);

it('takes every fault that --help gives as an example', async () => {
  const faults = FAULT_EXAMPLES.map(([, fault]) => fault);
  const { json } = await post('/_emulator/faults', {}, JSON.stringify(faults));
  expect(json['faults']).toHaveLength(faults.length);
});
