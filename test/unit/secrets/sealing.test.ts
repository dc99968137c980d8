import fc from 'fast-check';
import { CompactEncrypt, base64url, decodeProtectedHeader } from 'jose';
import { sealedTokenSchema } from '../../../src/contract/schemas';
import { SealedTokenUnreadableError, createSealer, makeKey } from '../../../src/secrets/sealing';
import { ANY_CHARACTER } from '../../support/any-character';
import { rejectionWithoutCanary } from '../rejection';

const ORG = '64f1c0ffee5eed0000000a71';
const WORKFLOW_ID = `live-migration-prep/${ORG}`;
const TOKEN = 'CANARY-link-token-4f1b';
const FACTS = {
  ...{ orgId: ORG, sourceOrgId: null, accessListIps: ['192.31.196.7'], credential: 'default' },
  ...{ warnings: ['a warning'], requestedBy: 'Ada', changeReference: 'CHG-1', unconfirmedTokens: 2 },
};

type Key = ReturnType<typeof makeKey>;

const key = (kid: string): Key => ({ ...makeKey(new Date()), kid });
const jsonOf = (...keys: Key[]) => JSON.stringify({ keys });
const sealerOf = (...keys: Key[]) => createSealer(() => jsonOf(...keys));

const [first, second] = [key('first'), key('second')];
const sealer = sealerOf(first);
const sealOne = (workflowId = WORKFLOW_ID) => sealer.seal(TOKEN, FACTS, workflowId);

/** A token encrypted with the first key, as an attacker who has it could. */
const encrypt = (payload: object, header: { kid?: string } = {}) =>
  new CompactEncrypt(new TextEncoder().encode(JSON.stringify(payload)))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: 'first', aud: WORKFLOW_ID, ...header })
    .encrypt(base64url.decode(first.k));

const failureOf = (work: Promise<unknown>) => rejectionWithoutCanary(work, SealedTokenUnreadableError);

describe('a sealed token', () => {
  it('carries the facts and the SHA-256 of the token, and its header names the key and the run', async () => {
    const sealed = await sealer.seal('abc', FACTS, WORKFLOW_ID);
    const tokenSha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(sealed).toMatchObject({ ...FACTS, tokenSha256 });
    expect(sealedTokenSchema.parse(sealed)).toEqual(sealed);
    const header = { alg: 'dir', enc: 'A256GCM', kid: 'first', aud: WORKFLOW_ID };
    expect(decodeProtectedHeader(sealed.jwe)).toEqual(header);
    expect((await sealOne()).deliveryId).not.toBe((await sealOne()).deliveryId);
  });

  it('opens to the very same token, for any characters, and shows it nowhere', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: ANY_CHARACTER, minLength: 1, maxLength: 200 }), async (token) => {
        const sealed = await sealer.seal(token, FACTS, WORKFLOW_ID);
        const { jwe, ...facts } = sealed;
        expect(await sealer.open(jwe, WORKFLOW_ID)).toEqual({ linkToken: token, ...facts });
        const decode = (part: string) => Buffer.from(part, 'base64url').toString('utf8');
        const visible = JSON.stringify(sealed) + sealed.jwe.split('.').map(decode).join();
        if (token.length >= 8) expect(visible).not.toContain(token);
      }),
    );
  });
});

describe('a sealed token does not open', () => {
  it.each<[how: string, work: (jwe: string) => Promise<unknown>, message: string]>([
    [
      'under another workflow id',
      (jwe) => sealer.open(jwe, `${WORKFLOW_ID}/64f1c0ffee5eed0000005c01`),
      'was sealed for another workflow id',
    ],
    [
      'with its header exchanged for one of another run',
      async (jwe) => {
        const [header] = (await sealOne('other')).jwe.split('.');
        return sealer.open([header, ...jwe.split('.').slice(1)].join('.'), 'other');
      },
      'was altered',
    ],
    [
      'with another key of the same id',
      (jwe) => sealerOf(key('first')).open(jwe, WORKFLOW_ID),
      'another key of the same id',
    ],
  ])('%s', async (_how, work, message) => {
    const error = await failureOf(work((await sealOne()).jwe));
    expect(error.message).toContain(message);
    expect(error.retryable).toBe(false);
  });

  it('with one character of any part altered', async () => {
    const { jwe } = await sealOne();
    const at = fc.nat(jwe.length - 1).filter((i) => jwe[i] !== '.');
    await fc.assert(
      fc.asyncProperty(at, fc.constantFrom('A', 'Q', 'g', 'w'), async (i, letter) => {
        const altered = jwe.slice(0, i) + letter + jwe.slice(i + 1);
        // The last letter of a part has bits that mean nothing.
        const bytes = (text: string) =>
          text.split('.').map((part) => Buffer.from(part, 'base64url').toString('hex'));
        fc.pre(bytes(altered).join() !== bytes(jwe).join());
        await failureOf(sealer.open(altered, WORKFLOW_ID));
      }),
    );
  });

  it.each(['', 'no JWE', 'a.b.c.d.e', '....', 'eyJhbGciOiJub25lIn0....'])('from %j', async (jwe) => {
    await failureOf(sealer.open(jwe, WORKFLOW_ID));
  });

  it.each<[what: string, payload: object, message: string, retryable: boolean]>([
    ['without a token', { version: 1 }, 'was altered', false],
    ['without a version', { linkToken: TOKEN }, 'was altered', false],
    ['with a path', { version: 1, linkToken: TOKEN, sourceOrgId: '../x' }, 'was altered', false],
    ['of a newer release', { version: 2, linkToken: TOKEN }, 'with a worker of that release', true],
  ])('with a payload %s', async (_what, payload, message, retryable) => {
    const { jwe: _, ...facts } = await sealOne();
    const error = await failureOf(sealer.open(await encrypt({ ...facts, ...payload }), WORKFLOW_ID));
    expect(error.message).toContain(message);
    expect(error.retryable).toBe(retryable);
  });
});

describe('a key set', () => {
  it('seals with its first key, opens with all, and is read again for a key that it lacks', async () => {
    let keySet = jsonOf(first);
    const running = createSealer(() => keySet);
    const old = await sealOne();
    keySet = jsonOf(second, first);
    const fresh = await sealerOf(second, first).seal(TOKEN, FACTS, WORKFLOW_ID);
    for (const { jwe } of [fresh, old])
      await expect(running.open(jwe, WORKFLOW_ID)).resolves.toMatchObject({ linkToken: TOKEN });
    expect(running.keyIds()).toEqual(['second', 'first']);
    const sealed = await running.seal(TOKEN, FACTS, WORKFLOW_ID);
    expect(decodeProtectedHeader(sealed.jwe).kid).toBe('second');
  });

  it('is not read again for a key that it has', async () => {
    const read = jest.fn(() => jsonOf(first));
    const { jwe } = await sealOne();
    const counting = createSealer(read);
    await counting.open(jwe, WORKFLOW_ID);
    await failureOf(counting.open(jwe, 'another workflow id'));
    expect(read).toHaveBeenCalledTimes(1);
  });

  it('without the key of a token: the error names the key, in one line, and a retry may help', async () => {
    const { jwe } = await sealOne();
    const lacking = await failureOf(sealerOf(second).open(jwe, WORKFLOW_ID));
    expect(lacking.message).toContain('with key "first", which this worker does not have: put that key into');
    expect(lacking.retryable).toBe(true);
    const odd = await encrypt({}, { kid: '\u001b[2J'.padEnd(100_000, 'x') });
    const { message } = await failureOf(sealer.open(odd, WORKFLOW_ID));
    expect(message.length).toBeLessThan(400);
    expect(message).not.toContain('\u001b');
  });

  it('that is broken when it is read again leaves the former one in use', async () => {
    const running = createSealer(jest.fn(() => '{"keys": [').mockReturnValueOnce(jsonOf(first)));
    const { jwe } = await sealerOf(second).seal(TOKEN, FACTS, WORKFLOW_ID);
    expect(await failureOf(running.open(jwe, WORKFLOW_ID))).toMatchObject({ retryable: true });
    const old = await sealOne();
    await expect(running.open(old.jwe, WORKFLOW_ID)).resolves.toMatchObject({ linkToken: TOKEN });
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
    ['is cut off', `{"keys":[{"k":"${canary}`, /are not JSON/],
    ['is a list', JSON.stringify([{ ...first, k: canary }]), /not a JWK set/],
    ['is a key and not a set', JSON.stringify({ ...first, k: canary }), /\(keys is not a list of keys\)/],
    ['is empty', set(), /keys holds no key/],
    ['has a key too short', set({ ...first, k: 'CANARY' }), /keys\.0\.k is not 32 bytes/],
    ['has a key of odd letters', set({ ...first, k: `${canary.slice(1)}!` }), /keys\.0\.k is not 32/],
    ['has a public key', set(first, { kty: 'RSA', kid: 'a', n: canary }), /keys\.1\.kty /],
    ['has two keys of one id', set(first, key('first')), /keys holds two keys with one kid/],
  ])('that %s is refused with a remedy and without its content', (_what, json, message) => {
    const load = () => createSealer(() => json);
    expect(load).toThrow(message);
    expect(load).toThrow('make the keys with: live-migration-prep keys --file sealing-keys.json');
    expect(load).not.toThrow(/CANARY/);
    expect(load).not.toThrow(first.k);
  });
});
