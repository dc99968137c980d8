import { createHash } from 'node:crypto';
import type { AtlasEmulator } from '../../dev/atlas-emulator';
import type { Atlas } from '../../src/atlas/client';
import { closingAfterEach } from './closing';
import { ADDRESSES, CREDENTIALS, KEY, ORG, atlasAt, create, secretOf, startEmulator } from './emulated';
import { serveHttp } from './servers';

const closing = closingAfterEach();

async function start(settings?: Parameters<typeof startEmulator>[0]): Promise<[Atlas, AtlasEmulator]> {
  const emulator = closing(await startEmulator(settings));
  return [closing(atlasAt(emulator, CREDENTIALS.apiKey)), emulator];
}

const counts = (emulator: AtlasEmulator) => {
  const posts = emulator.requestsOn('linkTokens');
  return {
    posts: posts.length,
    challenges: posts.filter(({ challenge }) => challenge).length,
    created: emulator.createdTokens().length,
  };
};

const fifty = <T>(work: () => Promise<T>) => Promise.all(Array.from({ length: 50 }, work));

describe('an API key', () => {
  it('pays one challenge, then uses the nonce again', async () => {
    const [atlas, emulator] = await start();
    for (let i = 0; i < 20; i++) await create(atlas);
    expect(counts(emulator)).toEqual({ posts: 21, challenges: 1, created: 20 });
  });

  it('counts up in hexadecimal, as RFC 7616 has it, and signs each count', async () => {
    const headers: string[] = [];
    const server = closing(
      await serveHttp(({ headers: { authorization } }, response) => {
        if (authorization) {
          headers.push(authorization);
          response.writeHead(201).end('{"linkToken":"x"}');
          return;
        }
        const challenge =
          'Digest realm="MMS Public API", domain="", nonce="abc", algorithm=MD5, qop="auth", stale=false';
        response.writeHead(401, { 'WWW-Authenticate': challenge }).end();
      }),
    );
    const atlas = closing(atlasAt(server, CREDENTIALS.apiKey, { pretty: true }));
    for (let i = 0; i < 17; i++) await create(atlas);

    const uri = `/api/atlas/v2/orgs/${ORG}/liveMigrations/linkTokens?pretty=true`;
    const md5 = (...parts: string[]) => createHash('md5').update(parts.join(':')).digest('hex');
    headers.forEach((header, i) => {
      const { username, realm, nonce, nc = '', cnonce = '', response, uri: signed } = parametersOf(header);
      expect([username, realm, nonce, signed]).toEqual([KEY.publicKey, 'MMS Public API', 'abc', uri]);
      expect(nc).toBe((i + 1).toString(16).padStart(8, '0'));
      const ha1 = md5(KEY.publicKey, 'MMS Public API', KEY.privateKey);
      expect(response).toBe(md5(ha1, 'abc', nc, cnonce, 'auth', md5('POST', uri)));
    });
    expect(headers).toHaveLength(17);
  });

  function parametersOf(header: string): Record<string, string | undefined> {
    const pairs = [...header.matchAll(/(\w+)=(?:"([^"]*)"|([^\s,"]+))/g)];
    return Object.fromEntries(pairs.map(([, name = '', quoted, bare]) => [name, quoted ?? bare]));
  }

  it('asks for another nonce when its own is stale', async () => {
    const [atlas, emulator] = await start();
    await create(atlas);
    emulator.expire('nonces');
    await create(atlas);
    expect(counts(emulator)).toEqual({ posts: 4, challenges: 2, created: 2 });
  });

  it('creates one token for each of fifty attempts at once: cold, warm, and after its nonce went stale', async () => {
    const [atlas, emulator] = await start();
    await fifty(() => create(atlas));
    expect(emulator.createdTokens()).toHaveLength(50);
    const cold = counts(emulator);
    await fifty(() => create(atlas));
    expect(counts(emulator)).toEqual({ posts: cold.posts + 50, challenges: cold.challenges, created: 100 });
    emulator.expire('nonces');
    await fifty(() => create(atlas));
    expect(emulator.createdTokens()).toHaveLength(150);
  });

  it('keeps up with nonces that live for a moment only', async () => {
    const [atlas, emulator] = await start({ nonceLifetimeMs: 1000 });
    for (let round = 0; round < 4; round++) {
      await fifty(() => create(atlas));
      await new Promise((resolve) => setTimeout(resolve, 550));
    }
    expect(emulator.createdTokens()).toHaveLength(200);
  }, 30_000);

  it('takes a 401 that is no challenge for an answer', async () => {
    const emulator = closing(await startEmulator());
    emulator.seed({ apiKeys: [{ ...KEY, roles: ['ORG_MEMBER'] }] });
    const atlas = closing(atlasAt(emulator, CREDENTIALS.apiKey));
    for (const posts of [2, 3]) {
      await expect(create(atlas)).rejects.toMatchObject({
        endpoint: 'linkTokens',
        status: 401,
        body: { errorCode: 'NOT_ORG_OWNER' },
      });
      expect(counts(emulator)).toEqual({ posts, challenges: 1, created: 0 });
    }
  });

  it('takes a second challenge that is not stale for a refusal: the key is wrong', async () => {
    const emulator = closing(await startEmulator());
    const wrong = { ...CREDENTIALS.apiKey, type: 'apiKey', publicKey: secretOf(KEY.publicKey) } as const;
    const atlas = closing(atlasAt(emulator, { ...wrong, privateKey: secretOf('wrong') }));
    await expect(create(atlas)).rejects.toMatchObject({ status: 401 });
    expect(counts(emulator)).toEqual({ posts: 2, challenges: 2, created: 0 });
  });

  it('that was rotated is picked up with the next challenge', async () => {
    const [, emulator] = await start();
    let privateKey = KEY.privateKey;
    const atlas = closing(
      atlasAt(emulator, {
        type: 'apiKey',
        publicKey: secretOf(KEY.publicKey),
        privateKey: { source: 'the test', read: () => privateKey },
      }),
    );
    await create(atlas);
    privateKey = 'rotated';
    emulator.seed({ apiKeys: [{ ...KEY, privateKey }], settings: { rateLimit: { enabled: false } } });
    await create(atlas);
    expect(counts(emulator)).toEqual({ posts: 4, challenges: 2, created: 2 });
  });

  it('gives up after three challenges, however stale', async () => {
    let posts = 0;
    const server = closing(
      await serveHttp((_request, response) => {
        posts += 1;
        response
          .writeHead(401, { 'WWW-Authenticate': 'Digest realm="r", nonce="n", qop="auth", stale=true' })
          .end();
      }),
    );
    await expect(create(closing(atlasAt(server, CREDENTIALS.apiKey)))).rejects.toMatchObject({ status: 401 });
    expect(posts).toBe(4);
  });

  it.each([
    ['an error behind the challenge', { status: 500 }, 2],
    ['an error before the challenge', { status: 503, beforeAuthentication: true }, 1],
  ])('hands on %s', async (_what, fault, posts) => {
    const [atlas, emulator] = await start();
    emulator.faults({ on: 'linkTokens', ...fault });
    await expect(create(atlas)).rejects.toMatchObject({ status: fault.status });
    expect(counts(emulator)).toMatchObject({ posts, created: 0 });
  });

  it('sends nothing but the one header more than a service account would', async () => {
    const [atlas, emulator] = await start();
    await create(atlas);
    expect(emulator.createdTokens()).toMatchObject([
      { accessListIps: ADDRESSES, orgId: ORG, credential: KEY.publicKey },
    ]);
  });
});
