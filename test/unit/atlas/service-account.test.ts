import { writeFileSync } from 'node:fs';
import type { AtlasEmulator } from '../../../dev/atlas-emulator';
import { credentialSchema } from '../../../src/atlas/credential';
import { SecretUnavailableError } from '../../../src/secrets/references';
import { serveHttp } from '../../support/servers';
import { temporaryFolder } from '../temporary-folder';
import { ACCOUNT, CREDENTIALS, atlasAt, create, failedWith, fifty, start as startWith } from './emulated';

const start = () => startWith('serviceAccount');

const counts = (emulator: AtlasEmulator) => ({
  accessTokens: emulator.requestsOn('oauth').length,
  posts: emulator.requestsOn('linkTokens').length,
  created: emulator.createdTokens().length,
});

/** Functions that servers and clients go on using while a test sets the clock. */
const CLOCK = {
  doNotFake: [
    ...(['hrtime', 'nextTick', 'performance', 'queueMicrotask'] as const),
    ...(['setImmediate', 'clearImmediate', 'setInterval', 'clearInterval'] as const),
  ],
};
const CLOCK_WITHOUT_TIMEOUTS = {
  doNotFake: [...CLOCK.doNotFake, 'setTimeout' as const, 'clearTimeout' as const],
};
afterEach(() => void jest.useRealTimers());

describe('a service account', () => {
  it('requests its access token with HTTP Basic, not URL-encoded, and in a form', async () => {
    const requested: unknown[] = [];
    const server = await serveHttp(({ url, headers, text }, response) => {
      if (url === '/api/oauth/token')
        requested.push([headers.authorization, headers.accept, headers['content-type'], text]);
      response.end('{"access_token":"t","expires_in":3600,"token_type":"Bearer","linkToken":"x"}');
    });
    await create(atlasAt(server, CREDENTIALS.serviceAccount));
    const basic = Buffer.from(`${ACCOUNT.clientId}:${ACCOUNT.clientSecret}`).toString('base64');
    const form = ['application/json', 'application/x-www-form-urlencoded', 'grant_type=client_credentials'];
    expect(requested).toEqual([[`Basic ${basic}`, ...form]]);
    expect(ACCOUNT.clientId).toContain('_');
  });

  it('fetches one access token for fifty attempts at once, and renews it once when Atlas returns 401', async () => {
    const [atlas, emulator] = await start();
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
    const [atlas, emulator] = await start();
    for (let i = 0; i < created; i++) await create(atlas);
    emulator.faults({ on: 'linkTokens', times: 9, errorCode: 'NOT_ORG_OWNER' });
    const refusal = failedWith({ status: 401, errorCode: 'NOT_ORG_OWNER' });
    await expect(create(atlas)).rejects.toMatchObject(refusal);
    expect(counts(emulator)).toEqual({ ...requests, created });
  });

  it.each([
    ['500', { status: 500 }, { details: { status: 500 } }],
    ['access_denied', { errorCode: 'access_denied' }, { details: { errorCode: 'access_denied' } }],
    ['429', { status: 429, headers: { 'Retry-After': '0' } }, { details: { status: 429 }, retryAfterMs: 0 }],
    ['no token', { status: 200, body: { expires_in: 3600 } }, { details: { status: 200 } }],
    ['no lifetime', { status: 200, body: { access_token: 'x' } }, { details: { status: 200 } }],
    ['a page of a proxy', { html: true, status: 200 }, { details: { status: 200 } }],
    ['a redirect', { status: 302, headers: { Location: '/elsewhere' } }, { details: { status: 302 } }],
    ['a reset', { reset: 'before-body' }, { type: 'AtlasUnavailable' }],
  ] as const)(
    'sends no POST after %s in place of an access token, for none that waits, and requests another next time',
    async (_what, fault, outcome) => {
      const [atlas, emulator] = await start();
      emulator.faults({ on: 'oauth', ...fault });
      // No request that could have created a token was sent.
      const error = { outcome: { tokenMayExist: false, ...outcome } };
      await fifty(() => expect(create(atlas)).rejects.toMatchObject(error));
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
  ])('renews its access token %s; a 401 to that one is a refusal', async (_when, lifetime, before, after) => {
    jest.useFakeTimers({ ...CLOCK_WITHOUT_TIMEOUTS, now: new Date('2026-01-02T03:04:05Z') });
    const startedAt = Date.now();
    const [atlas, emulator] = await start();
    emulator.seed({ settings: { accessTokenLifetimeSeconds: lifetime } });
    await create(atlas);
    jest.setSystemTime(startedAt + before * 1000);
    await create(atlas);
    expect(counts(emulator)).toEqual({ accessTokens: 1, posts: 2, created: 2 });
    jest.setSystemTime(startedAt + after * 1000);
    emulator.faults({ on: 'linkTokens', errorCode: 'NOT_ORG_OWNER' });
    await expect(create(atlas)).rejects.toMatchObject(failedWith({ status: 401 }));
    expect(counts(emulator)).toEqual({ accessTokens: 2, posts: 3, created: 2 });
  });
});

const fileIn = temporaryFolder();

test('a secret that is rotated is picked up when the access token is renewed', async () => {
  const write = (secret: string) => writeFileSync(fileIn('secret'), `${secret}\n`, { mode: 0o600 });
  write(ACCOUNT.clientSecret);
  const context = { env: { ID: ACCOUNT.clientId }, baseDirectory: fileIn(), warn: () => undefined };
  const reference = { type: 'serviceAccount', clientId: { env: 'ID' }, clientSecret: { file: 'secret' } };
  const [atlas, emulator] = await startWith(credentialSchema(context).parse(reference));
  await create(atlas);

  emulator.seed({ serviceAccounts: [{ ...ACCOUNT, clientSecret: 'rotated' }] });
  emulator.expire('accessTokens');
  await expect(create(atlas)).rejects.toThrow(/^Atlas returned 401 \S+ to the access-token request/);
  write('rotated');
  await create(atlas);
  expect(emulator.createdTokens()).toHaveLength(2);
});

describe('closing', () => {
  const read = jest.fn(() => ACCOUNT.clientSecret);
  const account = { ...CREDENTIALS.serviceAccount, clientSecret: { source: 'file secret', read } };

  it('revokes the access token', async () => {
    const [atlas, emulator] = await start();
    await create(atlas);
    const liveTokens = () => emulator.state().serviceAccounts[0]?.liveAccessTokens;
    expect(liveTokens()).toBe(1);
    await atlas.close();
    expect(liveTokens()).toBe(0);
  });

  it.each<[what: string, breakIt: (emulator: AtlasEmulator) => unknown]>([
    ['Atlas refuses', (emulator) => emulator.faults({ on: 'oauthRevoke', status: 500 })],
    ['Atlas hangs up', (emulator) => emulator.faults({ on: 'oauthRevoke', reset: 'before-body' })],
    [
      'the secret is gone',
      () =>
        read.mockImplementationOnce(() => {
          throw new SecretUnavailableError('file secret cannot be read');
        }),
    ],
  ])('does not fail when %s', async (_what, breakIt) => {
    const [atlas, emulator] = await startWith(account);
    await create(atlas);
    breakIt(emulator);
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
    jest.useFakeTimers(CLOCK);
    let closed = false;
    const close = atlas.close().then(() => (closed = true));
    await revocation;
    await jest.advanceTimersByTimeAsync(4999);
    expect(closed).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    await close;
  });
});
