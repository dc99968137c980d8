import type { AtlasEmulator } from '../../../dev/atlas-emulator';
import { SecretUnavailableError } from '../../../src/secrets/references';
import { serveHttp } from '../../support/servers';
import { ACCOUNT, CREDENTIALS, atlasAt, create, failedWith, fifty, start } from './emulated';

const counts = (emulator: AtlasEmulator) => ({
  accessTokens: emulator.requestsOn('oauth').length,
  posts: emulator.requestsOn('linkTokens').length,
  created: emulator.createdTokens().length,
});

afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

describe('a service account', () => {
  it('fetches one access token for fifty attempts at once, and renews it once when Atlas returns 401', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    await fifty(() => create(atlas));
    expect(counts(emulator)).toEqual({ accessTokens: 1, posts: 50, created: 50 });
    emulator.expire('accessTokens');
    await fifty(() => create(atlas));
    expect(counts(emulator)).toMatchObject({ accessTokens: 2, created: 100 });
  });

  it.each([
    ['a 401 to a fresh token', 0, { accessTokens: 1, posts: 1 }],
    ['a second 401, to the renewed token', 1, { accessTokens: 2, posts: 3 }],
  ])('treats %s as a refusal', async (_what, created, requests) => {
    const [atlas, emulator] = await start('serviceAccount');
    for (let i = 0; i < created; i++) await create(atlas);
    emulator.faults({ on: 'linkTokens', times: 9, errorCode: 'NOT_ORG_OWNER' });
    const refusal = failedWith({ status: 401, errorCode: 'NOT_ORG_OWNER' });
    await expect(create(atlas)).rejects.toMatchObject(refusal);
    expect(counts(emulator)).toEqual({ ...requests, created });
  });

  it.each([
    ['an error', { status: 500 }],
    ['no token', { status: 200, body: { expires_in: 3600 } }],
    ['a reset', { reset: 'before-body' }],
  ] as const)(
    'sends no POST after %s in place of an access token, for none that waits, and requests another next time',
    async (_what, fault) => {
      const [atlas, emulator] = await start('serviceAccount');
      emulator.faults({ on: 'oauth', ...fault });
      const notCreated = { outcome: { tokenMayExist: false } };
      await fifty(() => expect(create(atlas)).rejects.toMatchObject(notCreated));
      expect(counts(emulator)).toEqual({ accessTokens: 1, posts: 0, created: 0 });
      await create(atlas);
      expect(counts(emulator)).toEqual({ accessTokens: 2, posts: 1, created: 1 });
    },
  );

  it('sends no POST when it was stopped while it waited for the access token', async () => {
    const abort = new AbortController();
    const reason = new Error('stopped');
    const urls: unknown[] = [];
    const server = await serveHttp(({ url }, response) => {
      urls.push(url);
      abort.abort(reason);
      response.end('{"access_token":"t","expires_in":3600}');
    });
    const atlas = atlasAt(server, CREDENTIALS.serviceAccount);
    await expect(create(atlas, abort.signal)).rejects.toBe(reason);
    expect(urls).toEqual(['/api/oauth/token']);
  });

  it.each([
    ['a minute before it expires, when it lives for an hour', 3600, 3539, 3541],
    ['at half its life, when that is shorter than two minutes', 60, 29, 31],
  ])('renews its access token %s', async (_when, lifetimeSeconds, before, after) => {
    const startedAtMs = Date.now();
    const now = jest.spyOn(Date, 'now').mockReturnValue(startedAtMs);
    const [atlas, emulator] = await start('serviceAccount');
    emulator.seed({ settings: { accessTokenLifetimeSeconds: lifetimeSeconds } });
    await create(atlas);
    now.mockReturnValue(startedAtMs + before * 1000);
    await create(atlas);
    expect(counts(emulator).accessTokens).toBe(1);
    now.mockReturnValue(startedAtMs + after * 1000);
    await create(atlas);
    expect(counts(emulator)).toEqual({ accessTokens: 2, posts: 3, created: 3 });
  });

  it('reads its secret anew with each access token, so that a rotated one needs no restart', async () => {
    let secret = ACCOUNT.clientSecret;
    const clientSecret = { source: 'the test', read: () => secret };
    const [atlas, emulator] = await start({ ...CREDENTIALS.serviceAccount, clientSecret });
    await create(atlas);
    emulator.seed({ serviceAccounts: [{ ...ACCOUNT, clientSecret: 'rotated' }] });
    emulator.expire('accessTokens');
    await expect(create(atlas)).rejects.toThrow(/^Atlas returned 401 \S+ to the access-token request/);
    secret = 'rotated';
    await create(atlas);
  });
});

describe('closing', () => {
  it('revokes every access token, those of checks too', async () => {
    const [atlas, emulator] = await start('serviceAccount');
    await create(atlas);
    await atlas.visibleOrganizations('default');
    await atlas.close();
    expect(counts(emulator).accessTokens).toBe(2);
    expect(emulator.state().serviceAccounts[0]?.liveAccessTokens).toBe(0);
  });

  it('does not fail when the secret is gone', async () => {
    const read = jest.fn(() => ACCOUNT.clientSecret);
    const account = { ...CREDENTIALS.serviceAccount, clientSecret: { source: 'file secret', read } };
    const [atlas] = await start(account);
    await create(atlas);
    read.mockImplementation(() => {
      throw new SecretUnavailableError('file secret cannot be read');
    });
    await expect(atlas.close()).resolves.toBeUndefined();
  });

  it('waits for five seconds and no longer when Atlas hangs', async () => {
    let reachRevocation = () => {};
    const revocation = new Promise<void>((resolve) => (reachRevocation = resolve));
    const server = await serveHttp(({ url }, response) => {
      if (url === '/api/oauth/revoke') reachRevocation();
      else response.end('{"access_token":"t","expires_in":3600,"linkToken":"x"}');
    });
    const atlas = atlasAt(server, CREDENTIALS.serviceAccount, { requestTimeoutMs: 300_000 });
    await create(atlas);
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'setInterval'] });
    let closed = false;
    const close = atlas.close().then(() => (closed = true));
    await revocation;
    await jest.advanceTimersByTimeAsync(4999);
    expect(closed).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    await close;
  });
});
