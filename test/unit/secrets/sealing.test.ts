import fc from 'fast-check';
import { CompactEncrypt, base64url, decodeProtectedHeader } from 'jose';
import { sealedTokenSchema, tokenFactsSchema } from '../../../src/contract/schemas';
import { workflowIdFor } from '../../../src/contract/workflow-id';
import { SealedTokenUnreadableError, createSealer, makeKey } from '../../../src/secrets/sealing';
import { WORKER_IDENTITY } from '../../../src/version';
import { ANY_CHARACTER } from '../../support/any-character';
import { rejectionWithoutCanary } from '../rejection';
import { FACTS, ORG, SOURCE_ORG } from '../samples';

const WORKFLOW_ID = workflowIdFor({ orgId: ORG, sourceOrgId: SOURCE_ORG });
const TOKEN = 'CANARY-link-token-4f1b';
const COUNTED = { ...FACTS, unconfirmedTokens: 2 };

const key = (kid: string) => ({ ...makeKey(new Date()), kid });
const jsonOf = (...keys: object[]) => JSON.stringify({ keys });
const sealerOf = (...keys: object[]) => createSealer(() => jsonOf(...keys));

const [first, second] = [key('first'), key('second')];
const sealer = sealerOf(first);

async function sealOne({ by = sealer, workflowId = WORKFLOW_ID } = {}): Promise<string> {
  return (await by.seal(TOKEN, COUNTED, workflowId)).jwe;
}

/** A token encrypted with the first key, as an attacker who has it could. */
async function encrypt(payload: object, header: { kid?: string } = {}): Promise<string> {
  const { jwe: _, ...facts } = await sealer.seal(TOKEN, COUNTED, WORKFLOW_ID);
  return new CompactEncrypt(new TextEncoder().encode(JSON.stringify({ ...facts, ...payload })))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: 'first', aud: WORKFLOW_ID, ...header })
    .encrypt(base64url.decode(first.k));
}

const failureOf = (jwe: string, by = sealer) =>
  rejectionWithoutCanary(by.open(jwe, WORKFLOW_ID), SealedTokenUnreadableError);

describe('a sealed token', () => {
  it('carries the facts of the token, and names the key and the run', async () => {
    const sealed = await sealer.seal('abc', COUNTED, WORKFLOW_ID);
    const tokenSha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(sealed).toMatchObject({ ...COUNTED, tokenSha256 });
    expect(sealedTokenSchema.parse(sealed)).toEqual(sealed);
    const header = { alg: 'dir', enc: 'A256GCM', kid: 'first', aud: WORKFLOW_ID };
    expect(decodeProtectedHeader(sealed.jwe)).toEqual(header);
    expect((await sealer.seal('abc', COUNTED, WORKFLOW_ID)).deliveryId).not.toBe(sealed.deliveryId);
  });

  it('names the API key that the token embeds, and nothing else of its content', async () => {
    const privateApiKey = '00000000-e3a1-4a7a-8a5e-0000000a7145';
    const content = { orgId: ORG, orgName: 'Example', privateApiKey, publicApiKey: 'abcdefgh' };
    const token = Buffer.from(JSON.stringify(content)).toString('base64');
    const sealed = await sealer.seal(token, COUNTED, WORKFLOW_ID);
    expect(sealed.publicApiKey).toBe('abcdefgh');
    expect(JSON.stringify(sealed)).not.toMatch(/00000000|Example/);
    expect(await sealer.open(sealed.jwe, WORKFLOW_ID)).toMatchObject({ publicApiKey: 'abcdefgh' });
    expect((await sealer.seal('opaque', COUNTED, WORKFLOW_ID)).publicApiKey).toBeNull();
  });

  it('has no fact that a receipt may not have', async () => {
    const facts = { ...COUNTED, sink: 'drop', fieldOfTheWorker: 1 };
    const { jwe: _, ...sealed } = await sealer.seal('abc', facts, WORKFLOW_ID);
    expect(Object.keys(sealed).sort()).toEqual(Object.keys(tokenFactsSchema.shape).sort());
  });

  it('opens to the same token, whatever its characters, and shows it nowhere', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: ANY_CHARACTER, minLength: 1, maxLength: 200 }),
        async (token) => {
          const sealed = await sealer.seal(token, COUNTED, WORKFLOW_ID);
          const { jwe, ...facts } = sealed;
          expect(await sealer.open(jwe, WORKFLOW_ID)).toEqual({ linkToken: token, ...facts });
          const decode = (part: string) => Buffer.from(part, 'base64url').toString('utf8');
          const visible = JSON.stringify(sealed) + sealed.jwe.split('.').map(decode).join();
          if (token.length >= 8) expect(visible).not.toContain(token);
        },
      ),
    );
  });

  const mixed = async () => {
    const [header] = (await sealOne()).split('.');
    return (await sealOne({ workflowId: 'other' })).replace(/^[^.]+/, header ?? '');
  };
  const sameId = sealerOf(key('first'));
  const LACKS_KEY = `with key "second", which worker ${WORKER_IDENTITY} does not have: add it`;
  const ODD = { kid: '\u001b[2J'.padEnd(100_000, 'x') };

  type Row = [what: string, jwe: () => string | Promise<string>, message: string];

  it.each<Row>([
    ['with an unknown key', () => sealOne({ by: sealerOf(second) }), LACKS_KEY],
    [
      'with a key id that cannot be printed',
      () => encrypt({}, ODD),
      `with key "\\u001b[2J${'x'.repeat(55)}…", which`,
    ],
    [
      'of a newer release',
      () => encrypt({ version: 2, linkToken: TOKEN }),
      'a worker of that release',
    ],
  ])('%s does not open on this worker, and is retried', async (_what, jwe, message) => {
    const retried = { permanent: false, message: expect.stringContaining(message) };
    expect(await failureOf(await jwe())).toMatchObject(retried);
  });

  it.each<Row>([
    [
      'of another run',
      () => sealOne({ workflowId: 'other' }),
      'was sealed for workflow id other: deliver it in',
    ],
    ["with the header of another run's token", mixed, 'was altered'],
    [
      'with another key of the same id',
      () => sealOne({ by: sameId }),
      `worker ${WORKER_IDENTITY} cannot open the token, which was altered or sealed with another key`,
    ],
    ['that is not a JWE', () => 'not a JWE', 'was altered'],
    ['without encryption', () => 'eyJhbGciOiJub25lIn0....', 'was altered'],
    ['without a token', () => encrypt({ version: 1 }), 'was altered'],
    ['without a version', () => encrypt({ linkToken: TOKEN }), 'was altered'],
    [
      'with a path for an id',
      () => encrypt({ version: 1, linkToken: TOKEN, orgId: '../x' }),
      'was altered',
    ],
  ])('%s does not open, and is not retried', async (_what, jwe, message) => {
    const final = { permanent: true, message: expect.stringContaining(message) };
    expect(await failureOf(await jwe())).toMatchObject(final);
  });

  it('does not open with any of its characters altered', async () => {
    const jwe = await sealOne();
    await Promise.all(
      Array.from(jwe, async (letter, i) => {
        // Letters of the two halves of the alphabet differ in a bit that counts, also at the end of
        // a part.
        const other = /[A-Za-f]/.test(letter) ? 'g' : 'A';
        await failureOf(jwe.slice(0, i) + other + jwe.slice(i + 1));
      }),
    );
  });
});

describe('a key set', () => {
  it('seals with its first key, opens with all, and is read again for others', async () => {
    let keySet = jsonOf(first);
    const read = jest.fn(() => keySet);
    const running = createSealer(read);
    keySet = jsonOf(second, first);
    const old = await sealOne();
    for (const jwe of [old, await sealOne({ by: sealerOf(second) }), old]) {
      await expect(running.open(jwe, WORKFLOW_ID)).resolves.toMatchObject({ linkToken: TOKEN });
    }
    await failureOf(await sealOne({ workflowId: 'other' }), running);
    expect(read).toHaveBeenCalledTimes(2);
    expect(running.keyIds()).toEqual(['second', 'first']);
    expect(decodeProtectedHeader(await sealOne({ by: running })).kid).toBe('second');
  });

  it('that lost a key keeps it in memory when it is read again', async () => {
    const read = jest.fn(() => jsonOf(second)).mockReturnValueOnce(jsonOf(first));
    const running = createSealer(read);
    const old = await sealOne();
    await running.open(await sealOne({ by: sealerOf(second) }), WORKFLOW_ID);
    await expect(running.open(old, WORKFLOW_ID)).resolves.toMatchObject({ linkToken: TOKEN });
    expect(decodeProtectedHeader(await sealOne({ by: running })).kid).toBe('second');
    expect(running.keyIdsOnlyInMemory()).toEqual(['first']);
  });

  it.each<[what: string, keySet: string, lost: string[]]>([
    ['is unchanged', jsonOf(first, second), []],
    ['has a new first key', jsonOf(key('third'), first, second), []],
    ['lacks a key', jsonOf(first), ['second']],
    ['has another key with the same id', jsonOf(first, key('second')), ['second']],
    ['cannot be read', '{"keys": [', ['first', 'second']],
  ])('that %s tells which keys a restart would lose', (_what, keySet, lost) => {
    const read = jest.fn(() => keySet).mockReturnValueOnce(jsonOf(first, second));
    expect(createSealer(read).keyIdsOnlyInMemory()).toEqual(lost);
  });

  it('that is damaged while a worker runs leaves the former one in use', async () => {
    const running = createSealer(jest.fn(() => '{"keys": [').mockReturnValueOnce(jsonOf(first)));
    const jwe = await sealOne({ by: sealerOf(second) });
    expect(await failureOf(jwe, running)).toMatchObject({ permanent: false });
    await expect(running.open(await sealOne(), WORKFLOW_ID)).resolves.toMatchObject({
      linkToken: TOKEN,
    });
  });

  const canary = 'CANARY'.padEnd(43, 'x');
  it.each<[what: string, json: string, message: RegExp]>([
    ['is cut off', `{"keys":[{"k":"${canary}`, /are not JSON/],
    [
      'is a key and not a set',
      JSON.stringify({ ...first, k: canary }),
      /\(keys is not a list of keys\)/,
    ],
    ['is empty', jsonOf(), /keys holds no key/],
    ['has a key too short', jsonOf({ ...first, k: 'CANARY' }), /keys\.0\.k is not 32 bytes/],
    ['has a public key', jsonOf(first, { kty: 'RSA', kid: 'a', n: canary }), /keys\.1\.kty /],
    ['has two keys of one id', jsonOf(first, key('first')), /keys holds two keys with one kid/],
  ])('that %s is refused with a remedy and without its content', (_what, json, message) => {
    const load = () => createSealer(() => json);
    expect(load).toThrow(message);
    expect(load).toThrow(
      /: restore them from another worker, .*; for a first installation, make the keys with: live-/,
    );
    expect(load).not.toThrow(/CANARY/);
    expect(load).not.toThrow(first.k);
  });
});
