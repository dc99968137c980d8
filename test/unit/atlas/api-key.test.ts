import type { AtlasEmulator } from '../../../dev/atlas-emulator';
import { KEY, create, failedWith, fifty, secretOf, start } from './emulated';

const counts = (emulator: AtlasEmulator) => {
  const posts = emulator.requestsOn('linkTokens');
  const challenges = posts.filter(({ challenge }) => challenge).length;
  return { posts: posts.length, challenges, created: emulator.createdTokens().length };
};

describe('an API key', () => {
  it('pays one challenge, then uses the nonce again', async () => {
    const [atlas, emulator] = await start('apiKey');
    for (let i = 0; i < 20; i++) await create(atlas);
    expect(counts(emulator)).toEqual({ posts: 21, challenges: 1, created: 20 });
  });

  it('gets another nonce when its own is stale', async () => {
    const [atlas, emulator] = await start('apiKey');
    await create(atlas);
    emulator.expire('nonces');
    await create(atlas);
    expect(counts(emulator)).toEqual({ posts: 4, challenges: 2, created: 2 });
  });

  it('creates one token for each of fifty attempts at once: cold, warm, and after its nonce went stale', async () => {
    const [atlas, emulator] = await start('apiKey');
    await fifty(() => create(atlas));
    expect(emulator.createdTokens()).toHaveLength(50);
    const cold = counts(emulator);
    await fifty(() => create(atlas));
    expect(counts(emulator)).toEqual({ posts: cold.posts + 50, challenges: cold.challenges, created: 100 });
    emulator.expire('nonces');
    await fifty(() => create(atlas));
    expect(emulator.createdTokens()).toHaveLength(150);
  });

  it('keeps up with nonces that expire while fifty attempts are under way', async () => {
    const [atlas, emulator] = await start('apiKey');
    for (let round = 0; round < 2; round++) {
      const attempts = Array.from({ length: 50 }, () => create(atlas));
      await Promise.race(attempts);
      emulator.expire('nonces');
      await Promise.all(attempts);
    }
    expect(emulator.createdTokens()).toHaveLength(100);
  });

  it('treats a 401 that is no challenge as a refusal', async () => {
    const [atlas, emulator] = await start('apiKey');
    emulator.seed({ apiKeys: [{ ...KEY, roles: ['ORG_MEMBER'] }] });
    const error = failedWith({ status: 401, errorCode: 'NOT_ORG_OWNER' });
    for (const posts of [2, 3]) {
      await expect(create(atlas)).rejects.toMatchObject(error);
      expect(counts(emulator)).toEqual({ posts, challenges: 1, created: 0 });
    }
  });

  it('treats a second challenge that is not stale as a refusal: the key is wrong', async () => {
    const wrong = {
      type: 'apiKey',
      publicKey: secretOf(KEY.publicKey),
      privateKey: secretOf('wrong'),
    } as const;
    const [atlas, emulator] = await start('apiKey', { credentials: new Map([['default', wrong]]) });
    await expect(create(atlas)).rejects.toMatchObject(failedWith({ status: 401 }));
    expect(counts(emulator)).toEqual({ posts: 2, challenges: 2, created: 0 });
  });

  it('that was rotated is picked up with the next challenge', async () => {
    let privateKey = KEY.privateKey;
    const rotated = { source: 'the test', read: () => privateKey };
    const credential = { type: 'apiKey', publicKey: secretOf(KEY.publicKey), privateKey: rotated } as const;
    const [atlas, emulator] = await start('apiKey', { credentials: new Map([['default', credential]]) });
    await create(atlas);
    privateKey = 'rotated';
    emulator.seed({ apiKeys: [{ ...KEY, privateKey }], settings: { rateLimit: { enabled: false } } });
    await create(atlas);
    expect(counts(emulator)).toEqual({ posts: 4, challenges: 2, created: 2 });
  });

  it.each([
    ['an error behind the challenge', { status: 500 }, 2],
    ['an error before the challenge', { status: 503, beforeAuthentication: true }, 1],
  ])('passes on %s', async (_what, fault, posts) => {
    const [atlas, emulator] = await start('apiKey');
    emulator.faults({ on: 'linkTokens', ...fault });
    await expect(create(atlas)).rejects.toMatchObject(failedWith({ status: fault.status }));
    expect(counts(emulator)).toMatchObject({ posts, created: 0 });
  });
});
