import {
  DEFAULT_SEED,
  DEFAULTS,
  startAtlasEmulator,
  type AtlasEmulator,
  type SeedInput,
} from '../../../dev/atlas-emulator';
import { FAULT_EXAMPLES, HELP } from '../../../dev/atlas-emulator/cli';
import { createDigest } from '../../../src/http/digest';

const { orgId: ORG, sourceOrgId: SOURCE_ORG, apiKey: ATLAS_KEY, sourceApiKey: SOURCE_KEY } = DEFAULTS;
const { clientId, clientSecret } = DEFAULTS.serviceAccount;
const LINK_TOKENS = `/api/atlas/v2/orgs/${ORG}/liveMigrations/linkTokens`;
const MIGRATION_LINK = `/api/public/v1.0/orgs/${SOURCE_ORG}/liveExport/migrationLink`;
const VERSIONED = 'application/vnd.atlas.2023-01-01+json';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const aString = expect.any(String);

let emulator: AtlasEmulator;
beforeAll(async () => void (emulator = await startAtlasEmulator()));
beforeEach(() => emulator.reset());
afterAll(() => emulator.close());

type Headers = Record<string, string>;

async function call(method: string, path: string, headers: Headers = {}, body: string | null = null) {
  const response = await fetch(emulator.url + path, { method, headers, body });
  const text = await response.text();
  const json = (/^[[{]/.test(text) ? JSON.parse(text) : {}) as Record<string, unknown>;
  const header = (name: string) => response.headers.get(name);
  return { status: response.status, challenge: header('www-authenticate'), header, text, json };
}

type Reply = Awaited<ReturnType<typeof call>>;
const summary = ({ status, json: { error, errorCode } }: Reply) => [status, errorCode ?? error];

function getToken(id = clientId, secret = clientSecret, form = 'grant_type=client_credentials') {
  const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
  return call('POST', '/api/oauth/token', { ...FORM, authorization }, form);
}

const bearer = async () => ({ authorization: `Bearer ${String((await getToken()).json['access_token'])}` });

/** POSTs linkTokens, with a new bearer token unless the headers have one. */
async function create(body = '{}', headers: Headers = {}, path = LINK_TOKENS): Promise<Reply> {
  const authorization = headers['authorization'] ? {} : await bearer();
  const usual = { accept: VERSIONED, 'content-type': 'application/json' };
  return call('POST', path, { ...usual, ...authorization, ...headers }, body);
}

const secretOf = (text: string) => ({ source: 'the test', read: () => text });

/** Signs a request by Digest for its path, and sends it to another where one is given. */
function signed(body = '{}', { key = ATLAS_KEY, uri = LINK_TOKENS, to = '' } = {}) {
  const withDigest = createDigest(secretOf(key.publicKey), secretOf(key.privateKey));
  const headers = { accept: VERSIONED, 'content-type': 'application/json' };
  const sent: Headers[] = [];
  return {
    sent,
    reply: withDigest({ method: 'POST', uri, headers }, (signedHeaders) => {
      sent.push(signedHeaders);
      return call('POST', to || uri, signedHeaders, body);
    }),
  };
}

describe('the token endpoint', () => {
  it('issues an access token of an hour', async () => {
    const token = { access_token: aString, expires_in: 3600, token_type: 'Bearer' };
    expect(await getToken()).toMatchObject({ status: 200, json: token });
  });

  it.each([
    ['a wrong secret', clientId, 'wrong', undefined, 401, 'invalid_client'],
    ['a url-encoded id', clientId.replaceAll('_', '%5F'), clientSecret, undefined, 401, 'invalid_client'],
    ['another grant', clientId, clientSecret, 'grant_type=password', 400, 'unsupported_grant_type'],
  ])('refuses %s', async (_what, id, secret, form, status, error) => {
    expect(summary(await getToken(id, secret, form))).toEqual([status, error]);
  });

  it('refuses the 101st live token', async () => {
    await Promise.all(Array.from({ length: 100 }, bearer));
    expect(summary(await getToken())).toEqual([403, 'access_denied']);
  });
});

describe('HTTP Digest', () => {
  const challenge = (stale: boolean) =>
    expect.stringMatching(
      `^Digest realm="MMS Public API", domain="", nonce="[\\w-]+", algorithm=MD5, qop="auth", stale=${stale}$`,
    );

  it('sends the recorded challenge, and accepts each count of a nonce once', async () => {
    expect(await call('POST', LINK_TOKENS)).toMatchObject({ status: 401, challenge: challenge(false) });
    const { reply, sent } = signed();
    expect((await reply).status).toBe(201);
    const replayed = await call('POST', LINK_TOKENS, sent[1], '{}');
    expect(replayed).toMatchObject({ status: 401, challenge: challenge(false) });
    emulator.expire('nonces');
    expect((await call('POST', LINK_TOKENS, sent[1], '{}')).challenge).toEqual(challenge(true));
    expect(emulator.createdTokens()).toHaveLength(1);
  });

  it.each([
    ['a wrong private key', { key: { ...ATLAS_KEY, privateKey: 'wrong' } }],
    ['a signature of another path', { to: `${LINK_TOKENS}?pretty=true` }],
  ])('sends a new challenge after %s', async (_what, signing) => {
    expect(await signed('{}', signing).reply).toMatchObject({ status: 401, challenge: challenge(false) });
    expect(emulator.createdTokens()).toEqual([]);
  });
});

describe('creating a link-token', () => {
  it('sends the recorded response, and keeps the token', async () => {
    const { status, header, json } = await create('{"accessListIps":["192.31.196.7"]}');
    expect([status, header('content-type')]).toEqual([201, `${VERSIONED};charset=utf-8`]);
    expect([header('ratelimit-limit'), header('ratelimit-remaining')]).toEqual(['500', '499']);
    expect(json).toEqual({ linkToken: expect.stringMatching(/^[\w+/]{300,}=*$/) });
    const facts = { orgId: ORG, accessListIps: ['192.31.196.7'], credential: clientId, removed: false };
    expect(emulator.createdTokens()).toEqual([{ ...json, ...facts, createdAt: aString }]);
  });

  it.each([
    ['{}', { status: 201, content: { linkToken: aString } }],
    ['{', { status: 400, content: { errorCode: 'INVALID_JSON' } }],
  ])('wraps the response to the body %s in an envelope', async (body, json) => {
    expect(await create(body, {}, `${LINK_TOKENS}?envelope=true`)).toMatchObject({ status: 200, json });
  });

  it.each([
    ['accept', 'application/vnd.atlas.2025-02-19+json', 201],
    ['accept', 'application/json', 406],
    ['accept', 'application/vnd.atlas.2022-12-31+json', 406],
    ['accept', 'application/vnd.atlas.2022-09-09+json', 410],
    ['content-type', VERSIONED, 201],
    ['content-type', 'text/plain', 415],
  ])('responds to %s: %s with %d', async (name, value, status) => {
    expect((await create('{}', { [name]: value })).status).toBe(status);
  });

  it.each([
    ['{"accessListIps":["10.0.0.0/8","2001:4:112::/48","::1"]}', 201, undefined],
    ['[]', 400, 'VALIDATION_ERROR'],
    ['{"accessListIps":"1.2.3.4"}', 400, 'VALIDATION_ERROR'],
    ['{"accessListIps":["10.0.0.0/33"]}', 400, 'INVALID_IP_ADDRESS_OR_CIDR_NOTATION'],
  ])('responds to the body %s with %d', async (body, status, errorCode) => {
    const reply = await create(body);
    expect(summary(reply)).toEqual([status, errorCode]);
    expect(emulator.createdTokens()).toHaveLength(status === 201 ? 1 : 0);
    const members = ['badRequestDetail', 'detail', 'error', 'errorCode', 'parameters', 'reason'];
    if (errorCode) expect(Object.keys(reply.json).sort()).toEqual(members);
  });

  const other = '64f1c0ffee5eed0000000b72';
  const two: SeedInput = { organizations: [...DEFAULT_SEED.organizations, { id: other, name: 'Other' }] };
  const member = { serviceAccounts: [{ clientId, clientSecret, orgId: ORG, roles: ['ORG_MEMBER'] }] };
  it.each<[SeedInput, string, number, string]>([
    [{}, 'ABC', 404, 'INVALID_ORG_ID'],
    [{}, other, 404, 'ORG_NOT_FOUND'],
    [two, other, 401, 'USER_CANNOT_ACCESS_ORG'],
    [member, ORG, 401, 'NOT_ORG_OWNER'],
  ])('refuses an organization without a challenge (%#)', async (seed, org, status, code) => {
    emulator.seed(seed);
    const reply = await create('{}', {}, LINK_TOKENS.replace(ORG, org));
    expect([...summary(reply), reply.challenge]).toEqual([status, code, null]);
  });

  it('limits the rate of an organization', async () => {
    emulator.seed({ settings: { rateLimit: { capacity: 1, refillPerMinute: 0.001 } } });
    await create();
    const limited = await create();
    expect(summary(limited)).toEqual([429, 'RATE_LIMITED']);
    expect(limited.header('retry-after')).toMatch(/^(60000|599\d\d)$/);
  });
});

it('Cloud Manager takes a token that was created here, by Digest and the key of the source only', async () => {
  const connect = (linkToken: unknown, key = SOURCE_KEY) =>
    signed(JSON.stringify({ linkToken }), { key, uri: MIGRATION_LINK }).reply;
  const { linkToken } = (await create()).json;
  expect((await call('POST', MIGRATION_LINK, await bearer(), '{}')).status).toBe(401);
  expect(summary(await connect(linkToken, ATLAS_KEY))).toEqual([401, 'USER_CANNOT_ACCESS_ORG']);
  expect((await connect('foreign')).status).toBe(400);
  expect((await connect(linkToken)).json).toEqual({ status: 'SYNCED' });
});

it('faults hit in their order, and a Digest challenge uses up none', async () => {
  emulator.faults([
    { on: 'linkTokens', times: 2, status: 500 },
    { on: 'linkTokens', errorCode: 'ORG_REQUIRES_ACCESS_LIST' },
    { on: 'linkTokens', afterCreating: true, reset: 'before-body' },
  ]);
  const replies = [await signed().reply, await create(), await create()];
  expect(replies.map(({ status }) => status)).toEqual([500, 500, 403]);
  await expect(create()).rejects.toThrow('fetch failed');
  expect(emulator.createdTokens()).toHaveLength(1);
});

it('takes every fault that --help gives as an example', async () => {
  for (const [, fault] of FAULT_EXAMPLES) {
    expect((await call('POST', '/_emulator/faults', {}, JSON.stringify(fault))).status).toBe(200);
    expect(HELP).toContain(JSON.stringify(fault));
  }
  expect(emulator.state().faults).toHaveLength(FAULT_EXAMPLES.length);
});
