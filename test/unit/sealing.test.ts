import { inspect } from 'node:util';
import fc from 'fast-check';
import { CompactEncrypt, base64url, decodeProtectedHeader } from 'jose';
import { sealedTokenSchema, type TokenFacts } from '../../src/contract/schemas';
import { SealedTokenUnreadableError, createSealer, makeKey, probeSealer } from '../../src/sealing';
import { ANY_CHARACTER } from '../support/any-character';

const ORG = '64f1c0ffee5eed0000000a71';
const WORKFLOW_ID = `live-migration-prep/${ORG}`;
const TOKEN = 'CANARY-link-token-4f1b';
const FACTS = {
  orgId: ORG,
  sourceOrgId: null,
  accessListIps: ['192.31.196.7'],
  credential: 'default',
  warnings: ['a warning'],
  requestedBy: 'Ada',
  changeReference: 'CHG-1',
  unconfirmedTokens: 2,
};

type Key = ReturnType<typeof makeKey>;

const key = (kid: string): Key => ({ ...makeKey(new Date()), kid });
const jsonOf = (...keys: Key[]) => JSON.stringify({ keys });
const sealerOf = (...keys: Key[]) => createSealer(() => jsonOf(...keys));

const [first, second] = [key('first'), key('second')];
const sealer = sealerOf(first);
const sealOne = (workflowId = WORKFLOW_ID) => sealer.seal(TOKEN, FACTS, workflowId);

async function failureOf(work: Promise<unknown>): Promise<SealedTokenUnreadableError> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SealedTokenUnreadableError);
  expect(inspect(error, { showHidden: true, depth: 10 })).not.toContain('CANARY');
  return error as SealedTokenUnreadableError;
}

describe('a sealed token', () => {
  it('opens for the workflow id it was sealed for, with everything that was sealed', async () => {
    const { jwe, ...facts } = await sealOne();
    await expect(sealer.open(jwe, WORKFLOW_ID)).resolves.toEqual({ linkToken: TOKEN, ...facts });
  });

  it('carries the facts and the SHA-256 of the token, and has the shape of the contract', async () => {
    const sealed = await sealer.seal('abc', FACTS, WORKFLOW_ID);
    expect(sealed).toMatchObject({
      ...FACTS,
      tokenSha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    });
    expect(sealedTokenSchema.parse(sealed)).toEqual(sealed);
  });

  it('names in its header the key and the run, and nothing else', async () => {
    const { jwe } = await sealOne();
    expect(decodeProtectedHeader(jwe)).toEqual({
      alg: 'dir',
      enc: 'A256GCM',
      kid: 'first',
      aud: WORKFLOW_ID,
    });
  });

  it('has a delivery id of its own each time', async () => {
    const [one, other] = await Promise.all([sealOne(), sealOne()]);
    expect(one.deliveryId).not.toBe(other.deliveryId);
  });

  it('opens to the very same token, whatever characters it has, and shows it nowhere', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: ANY_CHARACTER, minLength: 1, maxLength: 200 }), async (token) => {
        const sealed = await sealer.seal(token, FACTS, WORKFLOW_ID);
        const { linkToken } = await sealer.open(sealed.jwe, WORKFLOW_ID);
        expect(linkToken).toBe(token);
        const segments = sealed.jwe
          .split('.')
          .map((part) => Buffer.from(part, 'base64url').toString('latin1'));
        const visible = JSON.stringify(sealed) + segments.join();
        if (token.length >= 8) expect(visible).not.toContain(token);
      }),
    );
  });
});

describe('what is outside the seal has no effect', () => {
  /** Another value, of the shape that the contract allows. */
  const OTHER: TokenFacts = {
    orgId: '0'.repeat(24),
    sourceOrgId: '0'.repeat(24),
    accessListIps: ['0.0.0.0/0'],
    credential: 'other',
    warnings: [],
    requestedBy: 'Mallory',
    changeReference: null,
    deliveryId: '00000000-0000-4000-8000-000000000000',
    tokenSha256: '0'.repeat(64),
    createdAt: '9999-12-31T23:59:59.000Z',
    unconfirmedTokens: 0,
  };

  it.each(Object.keys(OTHER) as (keyof TokenFacts)[])('an altered %s', async (field) => {
    const sealed = await sealOne();
    const altered = sealedTokenSchema.parse({ ...sealed, [field]: OTHER[field] });
    expect(altered[field]).not.toEqual(sealed[field]);
    const { jwe: _, ...facts } = sealed;
    await expect(sealer.open(altered.jwe, WORKFLOW_ID)).resolves.toEqual({ linkToken: TOKEN, ...facts });
  });

  it('covers every field that is outside', async () => {
    const { jwe: _, ...outside } = await sealOne();
    expect(Object.keys(OTHER).sort()).toEqual(Object.keys(outside).sort());
  });
});

describe('a sealed token does not open', () => {
  it('under another workflow id', async () => {
    const { jwe } = await sealOne();
    const error = await failureOf(sealer.open(jwe, `${WORKFLOW_ID}/64f1c0ffee5eed0000005c01`));
    expect(error.message).toContain('was sealed for another workflow id');
    expect(error.retryable).toBe(false);
  });

  it('with one character of any part altered', async () => {
    const { jwe } = await sealOne();
    const at = fc.nat(jwe.length - 1).filter((i) => jwe[i] !== '.');
    await fc.assert(
      fc.asyncProperty(at, fc.constantFrom('A', 'Q', 'g', 'w'), async (i, letter) => {
        const altered = jwe.slice(0, i) + letter + jwe.slice(i + 1);
        // The last letter of a part has bits that mean nothing.
        const same = altered.split('.').every((part, n) => {
          return Buffer.from(part, 'base64url').equals(Buffer.from(jwe.split('.')[n] ?? '', 'base64url'));
        });
        fc.pre(!same);
        await failureOf(sealer.open(altered, WORKFLOW_ID));
      }),
    );
  });

  it('with its header exchanged for one of another run', async () => {
    const [mine, other] = await Promise.all([sealOne(), sealOne('other')]);
    const jwe = [other.jwe.split('.')[0], ...mine.jwe.split('.').slice(1)].join('.');
    const error = await failureOf(sealer.open(jwe, 'other'));
    expect(error.message).toContain('was altered');
    expect(error.retryable).toBe(false);
  });

  it.each(['', 'no JWE', 'a.b.c.d.e', '....', 'eyJhbGciOiJub25lIn0....'])('from %j', async (jwe) => {
    await failureOf(sealer.open(jwe, WORKFLOW_ID));
  });

  it('with another key of the same id', async () => {
    const { jwe } = await sealOne();
    const error = await failureOf(sealerOf(key('first')).open(jwe, WORKFLOW_ID));
    expect(error.message).toContain('another key of the same id');
    expect(error.retryable).toBe(false);
  });

  it.each<[what: string, payload: object, message: string, retryable: boolean]>([
    ['without a token', { version: 1 }, 'was altered', false],
    [
      'with a path as its source',
      { version: 1, linkToken: TOKEN, sourceOrgId: '../x' },
      'was altered',
      false,
    ],
    ['of a newer release', { version: 2, linkToken: TOKEN }, 'with a worker of that release', true],
  ])('with a payload %s', async (_what, payload, message, retryable) => {
    const { jwe: _, ...facts } = await sealOne();
    const jwe = await new CompactEncrypt(new TextEncoder().encode(JSON.stringify({ ...facts, ...payload })))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: 'first', aud: WORKFLOW_ID })
      .encrypt(base64url.decode(first.k));
    const error = await failureOf(sealer.open(jwe, WORKFLOW_ID));
    expect(error.message).toContain(message);
    expect(error.retryable).toBe(retryable);
  });
});

describe('a key set', () => {
  it('seals with its first key and opens with all, so that keys can be rotated', async () => {
    const old = await sealOne();
    const rotated = sealerOf(second, first);
    const fresh = await rotated.seal(TOKEN, FACTS, WORKFLOW_ID);
    expect(rotated.keyIds()).toEqual(['second', 'first']);
    expect(decodeProtectedHeader(fresh.jwe).kid).toBe('second');
    for (const { jwe } of [old, fresh]) {
      await expect(rotated.open(jwe, WORKFLOW_ID)).resolves.toMatchObject({ linkToken: TOKEN });
    }
  });

  it('is read again for a key that it lacks, and seals with the new first key from then on', async () => {
    let keySet = jsonOf(first);
    const running = createSealer(() => keySet);
    keySet = jsonOf(second, first);
    const { jwe } = await sealerOf(second, first).seal(TOKEN, FACTS, WORKFLOW_ID);
    await expect(running.open(jwe, WORKFLOW_ID)).resolves.toMatchObject({ linkToken: TOKEN });
    const sealed = await running.seal(TOKEN, FACTS, WORKFLOW_ID);
    expect(decodeProtectedHeader(sealed.jwe).kid).toBe('second');
  });

  it('is not read again for a key that it has', async () => {
    let reads = 0;
    const counting = createSealer(() => {
      reads += 1;
      return jsonOf(first);
    });
    const { jwe } = await sealOne();
    await counting.open(jwe, WORKFLOW_ID);
    await failureOf(counting.open(jwe, 'another workflow id'));
    expect(reads).toBe(1);
  });

  it('without the key of a token: the error names the key, and a retry may help', async () => {
    const { jwe } = await sealOne();
    const error = await failureOf(sealerOf(second).open(jwe, WORKFLOW_ID));
    expect(error.message).toMatch(
      /sealed with key "first", which this worker does not have: put that key into/,
    );
    expect(error.retryable).toBe(true);
  });

  it('quotes no more of an unknown key id than a line, and no control character', async () => {
    const jwe = await new CompactEncrypt(new Uint8Array())
      .setProtectedHeader({
        alg: 'dir',
        enc: 'A256GCM',
        kid: '\u001b[2J'.padEnd(100_000, 'x'),
        aud: WORKFLOW_ID,
      })
      .encrypt(base64url.decode(first.k));
    const { message } = await failureOf(sealer.open(jwe, WORKFLOW_ID));
    expect(message.length).toBeLessThan(400);
    expect(message).not.toContain('\u001b');
  });

  it.each<[what: string, broken: () => string]>([
    ['is broken', () => '{"keys": ['],
    [
      'cannot be read',
      () => {
        throw new Error('CANARY');
      },
    ],
  ])('that %s when it is read again leaves the former one in use', async (_what, broken) => {
    let read = () => jsonOf(first);
    const running = createSealer(() => read());
    read = broken;
    const { jwe } = await sealerOf(second).seal(TOKEN, FACTS, WORKFLOW_ID);
    expect(await failureOf(running.open(jwe, WORKFLOW_ID))).toMatchObject({ retryable: true });
    const own = await running.seal(TOKEN, FACTS, WORKFLOW_ID);
    await expect(running.open(own.jwe, WORKFLOW_ID)).resolves.toMatchObject({ linkToken: TOKEN });
  });

  it('is probed without a token', async () => {
    await expect(probeSealer(sealer)).resolves.toBeUndefined();
  });

  it('is made of keys of 256 bits whose ids begin with the day', () => {
    const made = makeKey(new Date('2026-01-02T23:00:00Z'));
    expect(made.kid).toMatch(/^2026-01-02-[0-9a-f]{8}$/);
    expect(Buffer.from(made.k, 'base64url')).toHaveLength(32);
    expect(sealerOf(made).keyIds()).toEqual([made.kid]);
  });

  const canary = 'CANARY'.padEnd(43, 'x');
  const set = (...keys: object[]) => JSON.stringify({ keys });
  it.each<[what: string, json: string, message: RegExp]>([
    ['is not JSON', canary, /are not JSON/],
    ['is cut off', `{"keys":[{"k":"${canary}`, /are not JSON/],
    ['is null', 'null', /not a JWK set/],
    ['is a list', JSON.stringify([{ ...first, k: canary }]), /not a JWK set/],
    ['is a key and not a set', JSON.stringify({ ...first, k: canary }), /\(keys /],
    ['is empty', set(), /keys holds no key/],
    ['has a key too short', set({ ...first, k: 'CANARY' }), /keys\.0\.k is not 32 bytes/],
    ['has a key too long', set({ ...first, k: `${canary}x` }), /keys\.0\.k is not 32 bytes/],
    ['has a key of odd letters', set({ ...first, k: `${canary.slice(1)}!` }), /keys\.0\.k is not 32/],
    ['has a key that is a number', set({ ...first, k: 5 }), /keys\.0\.k /],
    ['has a public key', set(first, { kty: 'RSA', kid: 'a', n: canary }), /keys\.1\.kty /],
    ['has a key without id', set({ kty: 'oct', k: canary }), /keys\.0\.kid /],
    ['has two keys of one id', set(first, key('first')), /keys holds two keys with one kid/],
  ])('that %s is refused with a remedy and without its content', (_what, json, message) => {
    const load = () => createSealer(() => json);
    expect(load).toThrow(message);
    expect(load).toThrow('make the keys with: live-migration-prep keys --file sealing-keys.json');
    expect(load).not.toThrow(/CANARY/);
    expect(load).not.toThrow(first.k);
  });
});
