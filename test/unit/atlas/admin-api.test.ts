import {
  DEFAULTS,
  startAtlasEmulator,
  type AtlasEmulator,
  type Fault,
} from '../../../dev/atlas-emulator';
import { createAdminApi, type AdminApi, type AdminApiOptions } from '../../../src/atlas/admin-api';
import type { CredentialConfig } from '../../../src/atlas/credential';
import type { AtlasFailure } from '../../../src/atlas/outcomes';
import { timeUntilRenewalMs } from '../../../src/atlas/service-account';
import { closeLater } from '../../support/clean-up';
import { serveHttp } from '../../support/servers';

const { orgId: ORG, apiKey: KEY } = DEFAULTS;
const ACCOUNT = { ...DEFAULTS.serviceAccount, orgId: ORG };
const ADDRESSES = ['192.31.196.7'];

const secretOf = (value: string) => ({ source: 'the test', read: () => value });
const CREDENTIALS = {
  serviceAccount: {
    type: 'serviceAccount',
    clientId: secretOf(ACCOUNT.clientId),
    clientSecret: secretOf(ACCOUNT.clientSecret),
  },
  apiKey: {
    type: 'apiKey',
    publicKey: secretOf(KEY.publicKey),
    privateKey: secretOf(KEY.privateKey),
  },
} as const satisfies Record<string, CredentialConfig>;

type Kind = keyof typeof CREDENTIALS;
type Options = Partial<AdminApiOptions>;

/** The client, for one credential named `default`. */
function atlasAt({ url }: { url: string }, kind: Kind, options?: Options): AdminApi {
  const atlas = createAdminApi({
    baseUrl: url,
    // Longer than fifty requests at once take on a busy machine.
    requestTimeoutMs: 60_000,
    envelope: false,
    pretty: false,
    backoff: { initialIntervalMs: 0, maximumIntervalMs: 0 },
    credentials: new Map([['default', CREDENTIALS[kind]]]),
    ...options,
  });
  return closeLater(atlas);
}

/**
 * The client and an emulator of its own, without Atlas's rate limit, which is not what these tests
 * are about.
 */
async function start(
  kind: Kind,
  options?: Options,
): Promise<[atlas: AdminApi, emulator: AtlasEmulator]> {
  const seed = { settings: { rateLimit: { enabled: false }, accessTokensPerMinute: null } };
  const emulator = closeLater(await startAtlasEmulator({ seed }));
  return [atlasAt(emulator, kind, options), emulator];
}

function create(atlas: AdminApi, credential = 'default') {
  return atlas.createLinkToken(ORG, ADDRESSES, credential);
}

const fifty = <T>(work: () => Promise<T>) => Promise.all(Array.from({ length: 50 }, work));

/** Matches an AtlasError with these details. */
const failedWith = (details: AtlasFailure['details']) => ({ failure: { details } });

const counts = (emulator: AtlasEmulator) => ({
  accessTokens: emulator.requestsOn('oauth').length,
  posts: emulator.requestsOn('linkTokens').length,
  created: emulator.createdTokens().length,
});

/**
 * Creates a token at a server that grants an access token, challenges what is not signed, and then
 * returns this status and body.
 */
async function createWith(
  status: number,
  body: unknown,
  kind: Kind = 'serviceAccount',
  options?: Options,
) {
  const server = await serveHttp(({ url = '', headers }, response) => {
    if (url.startsWith('/api/oauth/')) {
      response.end('{"access_token":"CANARY-bearer","expires_in":3600}');
    } else if (!headers.authorization) {
      response
        .writeHead(401, { 'WWW-Authenticate': 'Digest realm="r", nonce="n", qop="auth"' })
        .end();
    } else response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  return create(atlasAt(server, kind, options));
}

afterEach(() => void jest.useRealTimers());

describe.each([
  ['serviceAccount', { accessTokens: 2, posts: 4 }],
  ['apiKey', { accessTokens: 0, posts: 5 }],
] as const)('createLinkToken with a credential of type %s', (kind, requests) => {
  it('returns the token that Atlas created, and authenticates once per access token or nonce', async () => {
    const [atlas, emulator] = await start(kind, { envelope: true, pretty: true });
    const linkToken = await create(atlas);
    expect(emulator.createdTokens()).toMatchObject([
      { linkToken, orgId: ORG, accessListIps: ADDRESSES },
    ]);
    expect(emulator.requestsOn('linkTokens').at(-1)?.path).toMatch(
      /linkTokens\?envelope=true&pretty=true$/,
    );
    await create(atlas);
    emulator.expire('accessTokens');
    emulator.expire('nonces');
    await create(atlas);
    expect(counts(emulator)).toEqual({ ...requests, created: 3 });
    const refusal = { status: 429, errorCode: 'RATE_LIMITED' };
    emulator.faults({ on: 'linkTokens', ...refusal });
    await expect(create(atlas)).rejects.toMatchObject(failedWith(refusal));
  });

  it('returns the token of an envelope that has it beside the status', async () => {
    const body = { status: 201, linkToken: 'CANARY-token' };
    expect(await createWith(200, body, kind, { envelope: true })).toBe('CANARY-token');
  });
});

describe('createLinkToken', () => {
  it('returns the token of any 2xx as it is', async () => {
    const linkToken = `xx${KEY.privateKey}yy`;
    await expect(createWith(200, { linkToken, extra: 1 }, 'apiKey')).resolves.toBe(linkToken);
  });

  it.each([
    ['an empty token', { linkToken: '' }, 201],
    ['an HTML page', '<html>', 201],
    ['an envelope without content', { status: 500 }, 500],
    ['an envelope whose status is not one of HTTP', { status: 5, content: {} }, 201],
  ])('rejects a 201 that holds %s', async (_what, body, status) => {
    const creating = createWith(201, body, 'serviceAccount', { envelope: true });
    await expect(creating).rejects.toMatchObject(failedWith({ status }));
  });

  it('holds back requests with a credential that failed, and no others', async () => {
    const credentials = new Map(Object.entries(CREDENTIALS));
    const backoff = { initialIntervalMs: 600_000, maximumIntervalMs: 600_000 };
    const [atlas, emulator] = await start('apiKey', { credentials, backoff });
    emulator.faults({ on: 'linkTokens', status: 503 });
    const createBy = (credential: string) => create(atlas, credential);
    await expect(createBy('serviceAccount')).rejects.toMatchObject(failedWith({ status: 503 }));
    await expect(createBy('serviceAccount')).rejects.toThrow(
      /^not sent, since .*this worker sends no/,
    );
    expect(counts(emulator).posts).toBe(1);
    expect(atlas.describeOpenCircuit('serviceAccount')).toContain(
      'with credential serviceAccount until',
    );
    expect(atlas.describeOpenCircuit('apiKey')).toBeNull();
    await expect(createBy('apiKey')).resolves.toBeDefined();
    await expect(createBy('third')).rejects.toThrow('no credential named "third"');
  });
});

const LINK_TOKEN = Buffer.from(JSON.stringify({ orgId: ORG, privateApiKey: KEY.privateKey }));
const BASIC = Buffer.from(`${ACCOUNT.clientId}:${ACCOUNT.clientSecret}`).toString('base64');

it.each<[what: string, text: string, quoted: string]>([
  ['a client secret', `who is "${ACCOUNT.clientSecret}"?`, 'who is "(omitted)"?'],
  ['a private key', `who is ${KEY.privateKey}?`, 'who is (omitted)'],
  ['a private key, cut to 25 characters', KEY.privateKey.slice(0, 25), '(omitted)'],
  ['a secret, percent-encoded', encodeURIComponent('CANARY+/=\\and/so/on+/='), '(omitted)'],
  ['a secret without a digit', 'CANARYandSoOnUntilItEndsAt', '(omitted)'],
  ["another caller's header", `Authorization: Basic ${BASIC}`, 'Authorization: Basic (omitted)'],
  ['a link-token', `it is ${LINK_TOKEN.toString('base64')}`, 'it is (omitted)'],
  ['a link-token in hexadecimal', LINK_TOKEN.toString('hex'), '(omitted)'],
  [
    'a token behind much text',
    `${'so '.repeat(64)}${'a1'.repeat(20)}`,
    `${'so '.repeat(64)}(omitted`,
  ],
])('an error of Atlas is quoted without %s', async (_what, text, quoted) => {
  const body = { detail: text, reason: text };
  await expect(createWith(400, body)).rejects.toMatchObject(
    failedWith({ detail: quoted, reason: quoted }),
  );
});

it.each([
  `No organization has the ID ${ORG}.`,
  'The address 2001:0db8:85a3:0000:0000:8a2e:0370:7334/128 (or 192.0.2.0/24) is not allowed.',
  'IP_ADDRESS_NOT_ON_ACCESS_LIST, see https://www.mongodb.com/docs/atlas/security',
])('an error of Atlas is quoted whole: %s', async (detail) => {
  await expect(createWith(400, { detail })).rejects.toMatchObject(failedWith({ detail }));
});

it('an error of Atlas that is one word of a million letters is cut', async () => {
  await expect(createWith(400, { detail: 'a'.repeat(1_000_000) })).rejects.toMatchObject(
    failedWith({ detail: 'a'.repeat(200) }),
  );
});

describe('a service account', () => {
  it.each([
    [3_600_000, 3_540_000],
    [90_000, 45_000],
  ])('uses an access token that lives for %d ms for %d ms', (lifetimeMs, usedMs) => {
    expect(timeUntilRenewalMs(lifetimeMs)).toBe(usedMs);
  });

  it('fetches, and after a 401 renews, one access token for fifty attempts at once', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    await fifty(() => create(atlas));
    expect(counts(emulator)).toEqual({ accessTokens: 1, posts: 50, created: 50 });
    emulator.expire('accessTokens');
    await fifty(() => create(atlas));
    expect(counts(emulator)).toMatchObject({ accessTokens: 2, created: 100 });
  });

  it('renews an access token that is about to expire, once for fifty attempts at once', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    await create(atlas);
    const { now } = Date;
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() + 3_550_000);
    await fifty(() => create(atlas));
    clock.mockRestore();
    expect(counts(emulator)).toEqual({ accessTokens: 2, posts: 51, created: 51 });
  });

  it.each([
    ['a 401 to a new access token', 0, { accessTokens: 1, posts: 1 }],
    ['a second 401, to the renewed access token', 1, { accessTokens: 2, posts: 3 }],
  ])('does not retry after %s', async (_what, created, requests) => {
    const [atlas, emulator] = await start('serviceAccount');
    for (let i = 0; i < created; i++) await create(atlas);
    emulator.faults({ on: 'linkTokens', times: 9, errorCode: 'NOT_ORG_OWNER' });
    const refusal = failedWith({ status: 401, errorCode: 'NOT_ORG_OWNER' });
    await expect(create(atlas)).rejects.toMatchObject(refusal);
    expect(counts(emulator)).toEqual({ ...requests, created });
  });

  it('sends no POST without an access token, and requests one again next time', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    const noToken = { status: 200, body: { expires_in: 3600 } };
    const unusable = {
      status: 200,
      body: { access_token: 'no\r\nheader: holds this', expires_in: 3600 },
    };
    const faults: Omit<Fault, 'on'>[] = [
      { status: 500 },
      noToken,
      unusable,
      { reset: 'before-body' },
    ];
    for (const fault of faults) {
      emulator.faults({ on: 'oauth', ...fault });
      await expect(create(atlas)).rejects.toMatchObject({ failure: { tokenMayExist: false } });
    }
    await create(atlas);
    expect(counts(emulator)).toEqual({ accessTokens: faults.length + 1, posts: 1, created: 1 });
  });

  it('reads its secret for each access token, so that a rotated one needs no restart', async () => {
    let secret = ACCOUNT.clientSecret;
    const clientSecret = { source: 'the test', read: () => secret };
    const credentials = new Map([['default', { ...CREDENTIALS.serviceAccount, clientSecret }]]);
    const [atlas, emulator] = await start('serviceAccount', { credentials });
    await create(atlas);
    secret = 'rotated';
    emulator.seed({ serviceAccounts: [{ ...ACCOUNT, clientSecret: secret }] });
    emulator.expire('accessTokens');
    await create(atlas);
  });
});

describe('visibleOrganizations', () => {
  it('uses the access token of the runs', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    await create(atlas);
    await expect(atlas.visibleOrganizations('default')).resolves.toEqual([ORG]);
    expect(counts(emulator).accessTokens).toBe(1);
  });

  it('rejects an HTML page', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    emulator.faults({ on: 'orgs', status: 200, html: true });
    const looking = atlas.visibleOrganizations('default');
    await expect(looking).rejects.toMatchObject(failedWith({ status: 200 }));
  });
});

it('requireOwnerRole fails for another role, and reuses the access token', async () => {
  const [atlas, emulator] = await start('serviceAccount');
  await atlas.visibleOrganizations('default');
  await expect(atlas.requireOwnerRole(ORG, 'default')).resolves.toBeUndefined();
  emulator.seed({ serviceAccounts: [{ ...ACCOUNT, roles: ['ORG_READ_ONLY'] }] });
  const refusal = { status: 401, errorCode: 'NOT_ORG_OWNER' };
  const check = atlas.requireOwnerRole(ORG, 'default');
  await expect(check).rejects.toMatchObject({ failure: { details: refusal } });
  expect(counts(emulator).accessTokens).toBe(1);
});

describe('deleteLinkTokenKey', () => {
  const OWN = 'Atlas Migration Service Key - 0a1b2c3';

  /** An emulator with these keys beside the one of its credential, in this order. */
  async function startWith(keys: { publicKey: string; desc?: string }[]) {
    const [atlas, emulator] = await start('serviceAccount');
    const privateKey = '00000000-0000-4000-8000-000000000000';
    emulator.seed({
      settings: { rateLimit: { enabled: false } },
      apiKeys: keys.map((key) => ({ ...key, privateKey, orgId: ORG })),
    });
    return {
      emulator,
      revoke: (publicKey: string) => atlas.deleteLinkTokenKey(ORG, publicKey, 'default'),
      create: () => create(atlas),
      deletions: () => emulator.requestsOn('deleteApiKey').length,
      pages: () => emulator.requestsOn('apiKeys').length,
    };
  }

  const publicKeyOf = (linkToken: string) =>
    (JSON.parse(Buffer.from(linkToken, 'base64').toString()) as { publicApiKey: string })
      .publicApiKey;
  const numbered = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ publicKey: `k${1_000_000 + index}` }));

  it('deletes the key of a token and no other, and then finds it gone', async () => {
    const { revoke, create, emulator } = await startWith([]);
    const [publicKey, other] = [publicKeyOf(await create()), publicKeyOf(await create())];
    const [{ apiKey } = { apiKey: null }] = emulator.createdTokens();
    expect(await revoke(publicKey)).toEqual({ outcome: 'deleted', keyId: apiKey?.id });
    expect(await revoke(publicKey)).toEqual({ outcome: 'gone', keyId: null });
    const kept = emulator.createdTokens().filter(({ removedAt }) => removedAt === null);
    expect(kept.map(({ apiKey }) => apiKey.publicKey)).toEqual([other]);
  });

  it('finds a key on the third page', async () => {
    const { revoke, create, pages } = await startWith(numbered(1000));
    expect(await revoke(publicKeyOf(await create()))).toMatchObject({ outcome: 'deleted' });
    expect(pages()).toBe(3);
    expect(await revoke('abcdefgh')).toMatchObject({ outcome: 'gone' });
  });

  it('does not call a key gone when the list changed between its pages', async () => {
    const { revoke, emulator } = await startWith(numbered(500));
    const results = Array.from({ length: 500 }, (_, id) => ({ id: `${id}` }));
    emulator.faults({ on: 'apiKeys', status: 200, body: { results, totalCount: 501 } });
    await expect(revoke('abcdefgh')).rejects.toMatchObject({
      failure: { type: 'AtlasUnavailable', permanent: false, message: /changed while/ },
    });
  });

  it.each([
    ['a key with another description', [{ publicKey: 'abcdefgh' }]],
    ['a renamed key', [{ publicKey: 'abcdefgh', desc: `not an ${OWN}` }]],
    ['a key with a longer description', [{ publicKey: 'abcdefgh', desc: `${OWN}4` }]],
    ['a key with another end', [{ publicKey: 'abcdefgh', desc: `${OWN.slice(0, -7)}deploy1` }]],
    [
      'a public key of two keys, of which one is described otherwise',
      [{ publicKey: 'abcdefgh', desc: OWN }, { publicKey: 'abcdefgh' }],
    ],
  ])('refuses to delete %s', async (_what, keys) => {
    const { revoke, deletions } = await startWith(keys);
    await expect(revoke('abcdefgh')).rejects.toMatchObject({
      failure: { type: 'RevocationRefused', permanent: true, message: /delete key \w+ in Atlas/ },
    });
    expect(deletions()).toBe(0);
  });

  it.each<[what: string, fault: Fault]>([
    ['list', { on: 'apiKeys', status: 503 }],
    ['deletion', { on: 'deleteApiKey', status: 500 }],
    ['lost response to the deletion', { on: 'deleteApiKey', reset: 'before-body' }],
  ])('succeeds when it is repeated after a failed %s', async (_what, fault) => {
    const { revoke, create, emulator } = await startWith([]);
    const publicKey = publicKeyOf(await create());
    emulator.faults({ ...fault, afterCreating: fault.reset !== undefined });
    const failure = { type: 'AtlasUnavailable', permanent: false, tokenMayExist: false };
    await expect(revoke(publicKey)).rejects.toMatchObject({ failure });
    const outcome = fault.reset ? 'gone' : 'deleted';
    expect(await revoke(publicKey)).toMatchObject({ outcome });
  });

  it('ends with the remedy when the credential may not delete', async () => {
    const { revoke, create, emulator } = await startWith([]);
    const publicKey = publicKeyOf(await create());
    emulator.faults({ on: 'deleteApiKey', status: 403 });
    await expect(revoke(publicKey)).rejects.toMatchObject({
      failure: { type: 'AtlasRequestRejected', message: /Organization Owner/ },
    });
  });
});
