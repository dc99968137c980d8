import { writeFileSync } from 'node:fs';
import type { AtlasEmulator } from '../../../dev/atlas-emulator';
import { credentialSchema } from '../../../src/atlas/credential';
import { SecretUnavailableError } from '../../../src/secrets';
import { serveHttp } from '../../support/servers';
import { temporaryFolder } from '../temporary-folder';
import {
  ACCOUNT,
  CREDENTIALS,
  atlasAt,
  closing,
  create,
  failedWith,
  fifty,
  secretOf,
  start as startWith,
  startEmulator,
} from './emulated';

const start = () => startWith('serviceAccount');

const counts = (emulator: AtlasEmulator) => ({
  accessTokens: emulator.requestsOn('oauth').length,
  posts: emulator.requestsOn('linkTokens').length,
  created: emulator.createdTokens().length,
});

/** Functions that servers and clients go on using while a test sets the clock and the timeouts. */
const CLOCK_AND_TIMEOUTS = {
  doNotFake: [
    ...(['hrtime', 'nextTick', 'performance', 'queueMicrotask'] as const),
    ...(['setImmediate', 'clearImmediate', 'setInterval', 'clearInterval'] as const),
  ],
};

describe('a service account', () => {
  it('requests its access token with HTTP Basic, not URL-encoded, and in a form', async () => {
    const requested: unknown[] = [];
    const server = closing(
      await serveHttp(({ url, headers, text }, response) => {
        if (url === '/api/oauth/token')
          requested.push([headers.authorization, headers.accept, headers['content-type'], text]);
        response.end('{"access_token":"t","expires_in":3600,"token_type":"Bearer","linkToken":"x"}');
      }),
    );
    await create(closing(atlasAt(server, CREDENTIALS.serviceAccount)));
    const basic = Buffer.from(`${ACCOUNT.clientId}:${ACCOUNT.clientSecret}`).toString('base64');
    const form = ['application/json', 'application/x-www-form-urlencoded', 'grant_type=client_credentials'];
    expect(requested).toEqual([[`Basic ${basic}`, ...form]]);
    expect(ACCOUNT.clientId).toContain('_');
  });

  it('fetches one access token for fifty attempts at once', async () => {
    const [atlas, emulator] = await start();
    const tokens = await fifty(() => create(atlas));
    expect(new Set(tokens).size).toBe(50);
    expect(counts(emulator)).toEqual({ accessTokens: 1, posts: 50, created: 50 });
  });

  it('renews a cached token once for fifty attempts to which Atlas returns 401, and each creates one token', async () => {
    const [atlas, emulator] = await start();
    await create(atlas);
    emulator.expire('accessTokens');
    await fifty(() => create(atlas));
    expect(counts(emulator)).toMatchObject({ accessTokens: 2, created: 51 });
  });

  it('treats a 401 to a fresh token as a refusal', async () => {
    const [atlas, emulator] = await start();
    emulator.faults({ on: 'linkTokens', errorCode: 'NOT_ORG_OWNER' });
    await expect(create(atlas)).rejects.toMatchObject(failedWith({ status: 401 }));
    expect(counts(emulator)).toEqual({ accessTokens: 1, posts: 1, created: 0 });
  });

  it('treats a second 401, to the renewed token, as a refusal', async () => {
    const [atlas, emulator] = await start();
    await create(atlas);
    emulator.faults({ on: 'linkTokens', times: 9, errorCode: 'NOT_ORG_OWNER' });
    await expect(create(atlas)).rejects.toMatchObject(
      failedWith({ status: 401, errorCode: 'NOT_ORG_OWNER' }),
    );
    expect(counts(emulator)).toEqual({ accessTokens: 2, posts: 3, created: 1 });
  });

  it.each([
    ['500', { status: 500 }, { details: { status: 500 } }],
    [
      'access_denied',
      { status: 403, errorCode: 'access_denied' },
      { details: { errorCode: 'access_denied' } },
    ],
    ['429', { status: 429, headers: { 'Retry-After': '0' } }, { details: { status: 429 }, retryAfterMs: 0 }],
    ['no token', { status: 200, body: { expires_in: 3600 } }, { details: { status: 200 } }],
    ['no lifetime', { status: 200, body: { access_token: 'x' } }, { details: { status: 200 } }],
    ['a page of a proxy', { html: true, status: 200 }, { details: { status: 200 } }],
    ['a redirect', { status: 302, headers: { Location: '/elsewhere' } }, { details: { status: 302 } }],
    ['a reset', { reset: 'before-body' }, { type: 'AtlasUnavailable' }],
  ] as const)(
    'sends no POST after %s in place of an access token, and requests another next time',
    async (_what, fault, outcome) => {
      const [atlas, emulator] = await start();
      emulator.faults({ on: 'oauth', ...fault });
      // No request that could have created a token was sent.
      const error = { outcome: { tokenMayExist: false, ...outcome } };
      await expect(create(atlas)).rejects.toMatchObject(error);
      expect(counts(emulator)).toEqual({ accessTokens: 1, posts: 0, created: 0 });
      await create(atlas);
      expect(counts(emulator)).toEqual({ accessTokens: 2, posts: 1, created: 1 });
    },
  );

  it('fails all fifty attempts that wait for it when the access token is refused, after one request', async () => {
    const [atlas, emulator] = await start();
    emulator.faults({ on: 'oauth', status: 503 });
    await fifty(() => expect(create(atlas)).rejects.toMatchObject(failedWith({ status: 503 })));
    expect(counts(emulator)).toEqual({ accessTokens: 1, posts: 0, created: 0 });
  });

  it('sends no POST when it was stopped while it waited for the access token', async () => {
    const [atlas, emulator] = await start();
    emulator.faults({ on: 'oauth', delayMs: 150 });
    const abort = new AbortController();
    const reason = new Error('stopped');
    setTimeout(() => abort.abort(reason), 50);
    await expect(create(atlas, abort.signal)).rejects.toBe(reason);
    expect(counts(emulator)).toEqual({ accessTokens: 1, posts: 0, created: 0 });
  });
});

describe('an access token is renewed before it expires', () => {
  beforeEach(() => {
    const doNotFake = [...CLOCK_AND_TIMEOUTS.doNotFake, 'setTimeout' as const, 'clearTimeout' as const];
    jest.useFakeTimers({ doNotFake, now: new Date('2026-01-02T03:04:05Z') });
  });
  afterEach(() => void jest.useRealTimers());

  it.each([
    ['a minute before, when it lives for an hour', 3600, 3539, 3541],
    ['at half its life, when that is shorter than two minutes', 60, 29, 31],
  ])('%s', async (_when, lifetime, before, after) => {
    const startedAt = Date.now();
    const [atlas, emulator] = await start();
    emulator.seed({ settings: { accessTokenLifetimeSeconds: lifetime } });
    await create(atlas);
    jest.setSystemTime(startedAt + before * 1000);
    await create(atlas);
    expect(counts(emulator)).toEqual({ accessTokens: 1, posts: 2, created: 2 });
    jest.setSystemTime(startedAt + after * 1000);
    await fifty(() => create(atlas));
    expect(counts(emulator)).toEqual({ accessTokens: 2, posts: 52, created: 52 });
  });

  it('and after a renewal by the clock a 401 is a refusal', async () => {
    const [atlas, emulator] = await start();
    await create(atlas);
    jest.setSystemTime(Date.now() + 3_541_000);
    emulator.faults({ on: 'linkTokens', times: 9, errorCode: 'NOT_ORG_OWNER' });
    await expect(create(atlas)).rejects.toMatchObject(failedWith({ status: 401 }));
    expect(counts(emulator)).toEqual({ accessTokens: 2, posts: 2, created: 1 });
  });
});

const fileIn = temporaryFolder();

test('a secret that is rotated is picked up when the access token is renewed', async () => {
  const write = (secret: string) => writeFileSync(fileIn('secret'), `${secret}\n`, { mode: 0o600 });
  write(ACCOUNT.clientSecret);
  const context = { env: { ID: ACCOUNT.clientId }, baseDirectory: fileIn(), warn: () => undefined };
  const reference = { type: 'serviceAccount', clientId: { env: 'ID' }, clientSecret: { file: 'secret' } };
  const credential = credentialSchema(context).parse(reference);
  const credentials = new Map([['default', credential]]);
  const [atlas, emulator] = await startWith('serviceAccount', { credentials });
  await create(atlas);

  emulator.seed({ serviceAccounts: [{ ...ACCOUNT, clientSecret: 'rotated' }] });
  emulator.expire('accessTokens');
  await expect(create(atlas)).rejects.toThrow(/^Atlas returned 401 \S+ to the access-token request/);
  write('rotated');
  await create(atlas);
  expect(emulator.createdTokens()).toHaveLength(2);
});

describe('closing', () => {
  /** A service account with an access token, which the test closes. */
  async function open(clientSecret = secretOf(ACCOUNT.clientSecret)) {
    const emulator = closing(await startEmulator());
    const clientId = secretOf(ACCOUNT.clientId);
    const atlas = atlasAt(emulator, { type: 'serviceAccount', clientId, clientSecret });
    await create(atlas);
    return { atlas, emulator, liveTokens: () => emulator.state().serviceAccounts[0]?.liveAccessTokens };
  }

  it('revokes the access token', async () => {
    const { atlas, liveTokens } = await open();
    expect(liveTokens()).toBe(1);
    await atlas.close();
    expect(liveTokens()).toBe(0);
  });

  it('sends nothing to Atlas when there is no access token', async () => {
    const [atlas, emulator] = await start();
    await atlas.close();
    expect(emulator.requests()).toEqual([]);
  });

  it.each([
    ['refuses', { status: 500 }],
    ['hangs up', { reset: 'before-body' }],
  ] as const)('does not fail when Atlas %s', async (_what, fault) => {
    const { atlas, emulator } = await open();
    emulator.faults({ on: 'oauthRevoke', ...fault });
    await expect(atlas.close()).resolves.toBeUndefined();
  });

  it('does not fail when the secret is gone', async () => {
    const read = jest.fn(() => ACCOUNT.clientSecret);
    const { atlas } = await open({ source: 'file secret', read });
    read.mockImplementation(() => {
      throw new SecretUnavailableError('file secret cannot be read');
    });
    await expect(atlas.close()).resolves.toBeUndefined();
  });

  it('waits for five seconds and no longer when Atlas hangs', async () => {
    let reachRevocation = () => {};
    const revocation = new Promise<void>((resolve) => (reachRevocation = resolve));
    const server = closing(
      await serveHttp(({ url }, response) => {
        if (url === '/api/oauth/revoke') reachRevocation();
        else response.end('{"access_token":"t","expires_in":3600,"linkToken":"x"}');
      }),
    );
    const atlas = atlasAt(server, CREDENTIALS.serviceAccount, { requestTimeoutMs: 300_000 });
    await create(atlas);
    jest.useFakeTimers(CLOCK_AND_TIMEOUTS);
    try {
      let closed = false;
      const close = atlas.close().then(() => (closed = true));
      await revocation;
      await jest.advanceTimersByTimeAsync(4999);
      expect(closed).toBe(false);
      await jest.advanceTimersByTimeAsync(1);
      await close;
    } finally {
      jest.useRealTimers();
    }
  });
});
