import { inspect } from 'node:util';
import fc from 'fast-check';
import { decodeProtectedHeader } from 'jose';
import type { ValidRequest } from '../src/contract/names';
import { sealedTokenSchema } from '../src/contract/schemas';
import { SealedTokenUnreadableError, createSealer, makeKey } from '../src/sealing';

const ORG = '64f1c0ffee5eed0000000a71';
const WORKFLOW_ID = `live-migration-prep/${ORG}`;
const TOKEN = 'CANARY-link-token-4f1b';
const REQUEST: Omit<ValidRequest, 'sink'> = {
  orgId: ORG,
  sourceOrgId: null,
  accessListIps: ['203.0.113.7'],
  credential: 'default',
  warnings: [],
  requestedBy: null,
  changeReference: null,
};

type Key = ReturnType<typeof makeKey>;

const key = (kid: string): Key => ({ ...makeKey(new Date()), kid });
const sealerOf = (...keys: Key[]) => createSealer(JSON.stringify({ keys }));

const [first, second] = [key('first'), key('second')];
const sealer = sealerOf(first);

async function failureOf(work: Promise<unknown>): Promise<Error> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason as Error,
  );
  expect(error).toBeInstanceOf(SealedTokenUnreadableError);
  expect(inspect(error, { showHidden: true, depth: 10 })).not.toContain('CANARY');
  return error;
}

describe('a sealed token', () => {
  it('opens for the workflow id it was sealed for', async () => {
    const sealed = await sealer.seal(TOKEN, REQUEST, 2, WORKFLOW_ID);
    await expect(sealer.open(sealed, WORKFLOW_ID)).resolves.toBe(TOKEN);
  });

  it('carries the facts and the SHA-256 of the token, and has the shape of the contract', async () => {
    const sealed = await sealer.seal('abc', REQUEST, 2, WORKFLOW_ID);
    expect(sealed).toMatchObject({
      ...REQUEST,
      unconfirmedTokens: 2,
      version: 1,
      tokenSha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    });
    expect(sealedTokenSchema.parse(sealed)).toEqual(sealed);
  });

  it('names in its header the key, the delivery, the organization and the run', async () => {
    const sealed = await sealer.seal(TOKEN, REQUEST, 2, WORKFLOW_ID);
    expect(decodeProtectedHeader(sealed.jwe)).toEqual({
      alg: 'dir',
      enc: 'A256GCM',
      kid: 'first',
      jti: sealed.deliveryId,
      sub: ORG,
      aud: WORKFLOW_ID,
    });
  });

  it('has a delivery id of its own each time', async () => {
    const twice = await Promise.all([1, 2].map(() => sealer.seal(TOKEN, REQUEST, 2, WORKFLOW_ID)));
    expect(new Set(twice.map(({ deliveryId }) => deliveryId)).size).toBe(2);
  });

  it('opens to the very same token, whatever characters it has, and shows it nowhere', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', minLength: 0, maxLength: 200 }), async (token) => {
        const sealed = await sealer.seal(token, REQUEST, 2, WORKFLOW_ID);
        await expect(sealer.open(sealed, WORKFLOW_ID)).resolves.toBe(token);
        const segments = sealed.jwe
          .split('.')
          .map((part) => Buffer.from(part, 'base64url').toString('latin1'));
        const visible = JSON.stringify(sealed) + segments.join();
        if (token.length >= 8) expect(visible).not.toContain(token);
      }),
    );
  }, 30_000);

  it('hides its token from the base64 of any part', async () => {
    const { jwe } = await sealer.seal(TOKEN, REQUEST, 2, WORKFLOW_ID);
    const parts = jwe.split('.').map((part) => Buffer.from(part, 'base64url').toString());
    expect([jwe, ...parts].join('\n')).not.toContain('CANARY');
  });
});

describe('a sealed token does not open', () => {
  it('under another workflow id, and names the one it belongs to', async () => {
    const sealed = await sealer.seal(TOKEN, REQUEST, 2, WORKFLOW_ID);
    const error = await failureOf(sealer.open(sealed, `${WORKFLOW_ID}/64f1c0ffee5eed0000005c01`));
    expect(error.message).toContain(`(${WORKFLOW_ID})`);
  });

  it.each([
    ['another organization', { orgId: '0'.repeat(24) }],
    ['another delivery id', { deliveryId: '00000000-0000-4000-8000-000000000000' }],
  ])('with %s beside it', async (_what, change) => {
    const sealed = await sealer.seal(TOKEN, REQUEST, 2, WORKFLOW_ID);
    await failureOf(sealer.open({ ...sealed, ...change }, WORKFLOW_ID));
  });

  it('with another SHA-256 beside it', async () => {
    const sealed = await sealer.seal(TOKEN, REQUEST, 2, WORKFLOW_ID);
    const error = await failureOf(sealer.open({ ...sealed, tokenSha256: 'a'.repeat(64) }, WORKFLOW_ID));
    expect(error.message).toContain('was altered');
  });

  it.each([0, 2, 3, 4])('with part %i altered', async (altered) => {
    const sealed = await sealer.seal(TOKEN, REQUEST, 2, WORKFLOW_ID);
    const parts = sealed.jwe.split('.');
    const flip = (part: string) => (part.startsWith('A') ? 'B' : 'A') + part.slice(1);
    const jwe = parts.map((part, i) => (i === altered ? flip(part) : part)).join('.');
    await failureOf(sealer.open({ ...sealed, jwe }, WORKFLOW_ID));
  });

  it('with its header exchanged for one of another run', async () => {
    const mine = await sealer.seal(TOKEN, REQUEST, 2, WORKFLOW_ID);
    const other = await sealer.seal(TOKEN, REQUEST, 2, 'other');
    const jwe = [other.jwe.split('.')[0], ...mine.jwe.split('.').slice(1)].join('.');
    await failureOf(sealer.open({ ...mine, deliveryId: other.deliveryId, jwe }, 'other'));
  });

  it.each(['', 'no JWE', 'a.b.c.d.e', '....', 'eyJhbGciOiJub25lIn0....'])('from %j', async (jwe) => {
    const sealed = await sealer.seal(TOKEN, REQUEST, 2, WORKFLOW_ID);
    await failureOf(sealer.open({ ...sealed, jwe }, WORKFLOW_ID));
  });

  it('without its key, and names that key', async () => {
    const sealed = await sealer.seal(TOKEN, REQUEST, 2, WORKFLOW_ID);
    const error = await failureOf(sealerOf(second).open(sealed, WORKFLOW_ID));
    expect(error.message).toMatch(/key first, which the worker's key set lacks: put that key back/);
  });

  it('with another key of the same id', async () => {
    const sealed = await sealer.seal(TOKEN, REQUEST, 2, WORKFLOW_ID);
    const error = await failureOf(sealerOf(key('first')).open(sealed, WORKFLOW_ID));
    expect(error.message).toContain('another key of the same id');
  });
});

describe('a key set', () => {
  it('seals with its first key and opens with all, so that keys can be rotated', async () => {
    const old = await sealer.seal(TOKEN, REQUEST, 2, WORKFLOW_ID);
    const rotated = sealerOf(second, first);
    const fresh = await rotated.seal(TOKEN, REQUEST, 2, WORKFLOW_ID);
    expect(rotated.keyIds).toEqual(['second', 'first']);
    expect(decodeProtectedHeader(fresh.jwe).kid).toBe('second');
    await expect(rotated.open(old, WORKFLOW_ID)).resolves.toBe(TOKEN);
    await expect(rotated.open(fresh, WORKFLOW_ID)).resolves.toBe(TOKEN);
  });

  it('is probed without a token', async () => {
    await expect(sealer.probe()).resolves.toBeUndefined();
  });

  it('is made of keys of 256 bits whose ids tell the day', () => {
    const made = makeKey(new Date('2026-01-02T23:00:00Z'));
    expect(made.kid).toMatch(/^2026-01-02-[0-9a-f]{8}$/);
    expect(Buffer.from(made.k, 'base64url')).toHaveLength(32);
    expect(createSealer(JSON.stringify({ keys: [made] })).keyIds).toEqual([made.kid]);
  });

  const canary = 'CANARY'.padEnd(43, 'x');
  it.each([
    ['is not JSON', canary, /are not JSON/],
    ['is cut off', `{"keys":[{"k":"${canary}`, /are not JSON/],
    ['is null', 'null', /not a JWK set/],
    ['is a list', JSON.stringify([{ ...first, k: canary }]), /not a JWK set/],
    ['is a key and not a set', JSON.stringify({ ...first, k: canary }), /\(keys /],
    ['is empty', '{"keys":[]}', /keys holds no key/],
    [
      'has a key too short',
      JSON.stringify({ keys: [{ ...first, k: 'CANARY' }] }),
      /keys\.0\.k is not 32 bytes/,
    ],
    [
      'has a key too long',
      JSON.stringify({ keys: [{ ...first, k: `${canary}x` }] }),
      /keys\.0\.k is not 32 bytes/,
    ],
    [
      'has a key of odd letters',
      JSON.stringify({ keys: [{ ...first, k: `${canary}!` }] }),
      /keys\.0\.k is not 32/,
    ],
    ['has a key that is a number', JSON.stringify({ keys: [{ ...first, k: 5 }] }), /keys\.0\.k /],
    [
      'has a public key',
      JSON.stringify({ keys: [first, { kty: 'RSA', kid: 'a', n: canary }] }),
      /keys\.1\.kty /,
    ],
    ['has a key without id', JSON.stringify({ keys: [{ kty: 'oct', k: canary }] }), /keys\.0\.kid /],
    [
      'has two keys of one id',
      JSON.stringify({ keys: [first, key('first')] }),
      /keys holds two keys of one kid/,
    ],
  ])('that %s is refused with the mend and without its content', (_what, json, words) => {
    const load = () => createSealer(json);
    expect(load).toThrow(words);
    expect(load).toThrow('make one with: live-migration-prep keys --file sealing-keys.json');
    expect(load).not.toThrow(/CANARY/);
    expect(load).not.toThrow(first.k);
  });
});
