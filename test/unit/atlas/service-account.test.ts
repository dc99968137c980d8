import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { AtlasEmulator } from '../../../dev/atlas-emulator';
import type { AdminApi } from '../../../src/atlas/admin-api';
import { credentialSchema } from '../../../src/atlas/credential-config';
import { SecretUnavailableError, type Secret } from '../../../src/secrets';
import { closingAfterEach } from '../../support/closing';
import { ACCOUNT, CREDENTIALS, atlasAt, create, secretOf, startEmulator } from './emulated';
import { serveHttp } from '../../support/servers';

const closing = closingAfterEach();

async function start(settings?: Parameters<typeof startEmulator>[0]): Promise<[AdminApi, AtlasEmulator]> {
  const emulator = closing(await startEmulator(settings));
  return [closing(atlasAt(emulator, CREDENTIALS.serviceAccount)), emulator];
}

const counts = (emulator: AtlasEmulator) => ({
  accessTokens: emulator.requestsOn('oauth').length,
  posts: emulator.requestsOn('linkTokens').length,
  created: emulator.createdTokens().length,
});

const fifty = <T>(work: () => Promise<T>) => Promise.all(Array.from({ length: 50 }, work));

/** What servers and clients go on running with while a test sets the clock. */
const ALL_BUT_TIMEOUTS = [
  'hrtime',
  'nextTick',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
] as const;

describe('a service account', () => {
  it('requests its access token with HTTP Basic, not URL-encoded, and in a form', async () => {
    const requested: unknown[] = [];
    const server = closing(
      await serveHttp(({ url, headers, text }, response) => {
        if (url !== '/api/oauth/token') {
          response.writeHead(201).end('{"linkToken":"x"}');
          return;
        }
        const basic = Buffer.from((headers.authorization ?? '').replace('Basic ', ''), 'base64').toString();
        requested.push(basic, headers.accept, headers['content-type'], text);
        response.end('{"access_token":"t","expires_in":3600,"token_type":"Bearer"}');
      }),
    );
    await create(closing(atlasAt(server, CREDENTIALS.serviceAccount)));
    expect(requested).toEqual([
      `${ACCOUNT.clientId}:${ACCOUNT.clientSecret}`,
      'application/json',
      'application/x-www-form-urlencoded',
      'grant_type=client_credentials',
    ]);
    expect(ACCOUNT.clientId).toContain('_');
  });

  it('fetches one access token for fifty attempts at once', async () => {
    const [atlas, emulator] = await start();
    const tokens = await fifty(() => create(atlas));
    expect(new Set(tokens).size).toBe(50);
    expect(counts(emulator)).toEqual({ accessTokens: 1, posts: 50, created: 50 });
  });

  it('renews a cached token once when Atlas returns 401 to it', async () => {
    const [atlas, emulator] = await start();
    await create(atlas);
    emulator.expire('accessTokens');
    await create(atlas);
    expect(counts(emulator)).toEqual({ accessTokens: 2, posts: 3, created: 2 });
  });

  it('renews it once for fifty attempts at once, each of which creates one token', async () => {
    const [atlas, emulator] = await start();
    await create(atlas);
    emulator.expire('accessTokens');
    await fifty(() => create(atlas));
    expect(counts(emulator)).toMatchObject({ accessTokens: 2, created: 51 });
  });

  it('treats a 401 to a fresh token as a refusal', async () => {
    const [atlas, emulator] = await start();
    emulator.faults({ on: 'linkTokens', errorCode: 'NOT_ORG_OWNER' });
    await expect(create(atlas)).rejects.toMatchObject({ endpoint: 'linkTokens', status: 401 });
    expect(counts(emulator)).toEqual({ accessTokens: 1, posts: 1, created: 0 });
  });

  it('treats a second 401, to the renewed token, as a refusal', async () => {
    const [atlas, emulator] = await start();
    await create(atlas);
    emulator.faults({ on: 'linkTokens', times: 9, errorCode: 'NOT_ORG_OWNER' });
    await expect(create(atlas)).rejects.toMatchObject({
      status: 401,
      body: { errorCode: 'NOT_ORG_OWNER' },
    });
    expect(counts(emulator)).toEqual({ accessTokens: 2, posts: 3, created: 1 });
  });

  it.each([
    ['500', { status: 500 }, { status: 500, endpoint: 'oauthToken' }],
    ['access_denied', { status: 403, errorCode: 'access_denied' }, { body: { errorCode: 'access_denied' } }],
    ['429', { status: 429, headers: { 'Retry-After': '0' } }, { status: 429, retryAfterMs: 0 }],
    ['no token', { status: 200, body: { expires_in: 3600 } }, { status: 200, endpoint: 'oauthToken' }],
    ['no lifetime', { status: 200, body: { access_token: 'x' } }, { status: 200, endpoint: 'oauthToken' }],
    ['a page of a proxy', { html: true, status: 200 }, { status: 200, endpoint: 'oauthToken' }],
    [
      'a redirect',
      { status: 302, headers: { Location: '/elsewhere' } },
      { status: 302, endpoint: 'oauthToken' },
    ],
    [
      'a reset',
      { reset: 'before-body' },
      { name: 'AtlasConnectionError', endpoint: 'oauthToken', written: true },
    ],
  ] as const)(
    'sends no POST after %s in place of an access token, and requests another next time',
    async (_what, fault, error) => {
      const [atlas, emulator] = await start();
      emulator.faults({ on: 'oauth', ...fault });
      await expect(create(atlas)).rejects.toMatchObject(error);
      expect(counts(emulator)).toEqual({ accessTokens: 1, posts: 0, created: 0 });
      await create(atlas);
      expect(counts(emulator)).toEqual({ accessTokens: 2, posts: 1, created: 1 });
    },
  );

  it('fails all fifty attempts that wait for it when the access token is refused, after one request', async () => {
    const [atlas, emulator] = await start();
    emulator.faults({ on: 'oauth', status: 503 });
    const outcomes = await fifty(() => create(atlas).catch((error: unknown) => error));
    expect(outcomes.filter((outcome) => (outcome as { status?: number }).status === 503)).toHaveLength(50);
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
    jest.useFakeTimers({
      doNotFake: [...ALL_BUT_TIMEOUTS, 'setTimeout', 'clearTimeout'],
      now: new Date('2026-01-02T03:04:05Z'),
    });
  });
  afterEach(() => void jest.useRealTimers());

  it.each([
    ['a minute before, when it lives for an hour', 3600, 3539, 3541],
    ['at half its life, when that is shorter than two minutes', 60, 29, 31],
  ])('%s', async (_when, lifetime, before, after) => {
    const startedAt = Date.now();
    const [atlas, emulator] = await start({ accessTokenLifetimeSeconds: lifetime });
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
    await expect(create(atlas)).rejects.toMatchObject({ status: 401 });
    expect(counts(emulator)).toEqual({ accessTokens: 2, posts: 2, created: 1 });
  });
});

describe('a secret that is rotated', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(path.join(os.tmpdir(), 'service-account-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is picked up when the access token is renewed', async () => {
    const write = (secret: string) =>
      writeFileSync(path.join(folder, 'secret'), `${secret}\n`, { mode: 0o600 });
    write(ACCOUNT.clientSecret);
    const credential = credentialSchema({
      env: { CLIENT_ID: ACCOUNT.clientId },
      baseDirectory: folder,
      warn: () => undefined,
    }).parse({ type: 'serviceAccount', clientId: { env: 'CLIENT_ID' }, clientSecret: { file: 'secret' } });
    const credentials = new Map([['default', credential]]);
    const emulator = closing(await startEmulator());
    const atlas = closing(atlasAt(emulator, CREDENTIALS.serviceAccount, { credentials }));
    await create(atlas);

    emulator.seed({ serviceAccounts: [{ ...ACCOUNT, clientSecret: 'rotated' }] });
    emulator.expire('accessTokens');
    await expect(create(atlas)).rejects.toMatchObject({ endpoint: 'oauthToken', status: 401 });
    write('rotated');
    await create(atlas);
    expect(emulator.createdTokens()).toHaveLength(2);
  });
});

describe('closing', () => {
  const liveTokens = (emulator: AtlasEmulator) => emulator.state().serviceAccounts[0]?.liveAccessTokens;

  it('revokes the access token', async () => {
    const emulator = closing(await startEmulator());
    const atlas = atlasAt(emulator, CREDENTIALS.serviceAccount);
    await create(atlas);
    expect(liveTokens(emulator)).toBe(1);
    await atlas.close();
    expect(liveTokens(emulator)).toBe(0);
  });

  it('sends nothing to Atlas when there is no access token', async () => {
    const emulator = closing(await startEmulator());
    await atlasAt(emulator, CREDENTIALS.serviceAccount).close();
    expect(emulator.requests()).toEqual([]);
  });

  it.each([
    ['refuses', { status: 500 }],
    ['hangs up', { reset: 'before-body' }],
  ] as const)('does not fail when Atlas %s', async (_what, fault) => {
    const emulator = closing(await startEmulator());
    const atlas = atlasAt(emulator, CREDENTIALS.serviceAccount);
    await create(atlas);
    emulator.faults({ on: 'oauthRevoke', ...fault });
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
    jest.useFakeTimers({ doNotFake: [...ALL_BUT_TIMEOUTS] });
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

  it('does not fail when the secret is gone', async () => {
    const emulator = closing(await startEmulator());
    let gone = false;
    const secret: Secret = {
      source: 'file secret',
      read: () => {
        if (gone) throw new SecretUnavailableError('file secret cannot be read');
        return ACCOUNT.clientSecret;
      },
    };
    const atlas = atlasAt(emulator, {
      type: 'serviceAccount',
      clientId: secretOf(ACCOUNT.clientId),
      clientSecret: secret,
    });
    await create(atlas);
    gone = true;
    await expect(atlas.close()).resolves.toBeUndefined();
  });
});
