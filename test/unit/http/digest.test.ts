import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { createDigest } from '../../../src/http/digest';
import type { Secret } from '../../../src/secrets/references';
import { ANY_CHARACTER } from '../../support/any-character';

const USERNAME = 'Mufasa';
const PASSWORD = 'Circle of Life';
const REQUEST = { method: 'GET', uri: '/dir/index.html?a=1', headers: { accept: 'a/b' } };
const ATLAS = 'Digest realm="MMS Public API", domain="", nonce="abc", algorithm=MD5, qop="auth", stale=false';
const STALE = ATLAS.replace('abc', 'def').replace('false', 'TRUE');
const UNKNOWN_ALGORITHM = 'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"';

function secretOf(value: string): Secret {
  return { source: 'the test', read: () => value };
}

const md5 = (...parts: string[]) => createHash('md5').update(parts.join(':')).digest('hex');

function parametersOf(header = ''): Record<string, string | undefined> {
  const pairs = [...header.matchAll(/(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g)];
  return Object.fromEntries(pairs.map(([, name = '', quoted, bare]) => [name, quoted ?? bare]));
}

/** A client of a server that responds with one challenge after another, and then with 200. */
function clientOf(challenges: (string | null)[], username = USERNAME) {
  const seen: Record<string, string>[] = [];
  const withDigest = createDigest(secretOf(username), secretOf(PASSWORD));
  const send = (headers: Record<string, string>) => {
    const challenge = challenges[seen.push(headers) - 1];
    return Promise.resolve({ status: challenge === undefined ? 200 : 401, challenge: challenge ?? null });
  };
  return {
    seen,
    request: (method = 'GET') => withDigest({ ...REQUEST, method }, send),
    signatures: () => seen.map(({ authorization }) => parametersOf(authorization)),
  };
}

describe('HTTP Digest', () => {
  it('sends the first request unsigned, and signs what follows as RFC 7616 says', async () => {
    const { seen, request } = clientOf([ATLAS]);
    expect(await request()).toMatchObject({ status: 200 });
    await request('POST');

    const [unsigned, ...signed] = seen;
    expect(unsigned).toEqual({ accept: 'a/b' });
    const cnonces = signed.map(({ authorization = '', ...others }, i) => {
      expect(others).toEqual({ accept: 'a/b' });
      const { cnonce = '', ...parameters } = parametersOf(authorization);
      const nc = `0000000${i + 1}`;
      const ha2 = md5(i === 0 ? 'GET' : 'POST', REQUEST.uri);
      expect(parameters).toEqual({
        ...{ username: USERNAME, realm: 'MMS Public API', nonce: 'abc', uri: REQUEST.uri },
        ...{ algorithm: 'MD5', qop: 'auth', nc },
        response: md5(md5(USERNAME, 'MMS Public API', PASSWORD), 'abc', nc, cnonce, 'auth', ha2),
      });
      // RFC 7616, 3.4: these are not quoted.
      expect(authorization).toMatch(/^Digest .*, nc=[0-9a-f]{8}, qop=auth, algorithm=MD5$/);
      return cnonce;
    });
    expect(new Set(cnonces).size).toBe(2);
  });

  it('counts in hexadecimal, before the response', async () => {
    const { signatures, request } = clientOf([ATLAS]);
    await request();
    await Promise.all(Array.from({ length: 16 }, () => request()));
    const counts = signatures().map(({ nc }) => nc);
    expect(counts.slice(-3)).toEqual(['0000000f', '00000010', '00000011']);
    expect(new Set(counts).size).toBe(counts.length);
  });

  it('signs with the nonce of the latest challenge, and counts from one', async () => {
    const { signatures, request } = clientOf([ATLAS, STALE]);
    await request();
    expect(signatures().map(({ nonce, nc }) => [nonce, nc])).toEqual([
      [undefined, undefined],
      ['abc', '00000001'],
      ['def', '00000001'],
    ]);
  });

  it('sends back what is opaque, and escapes a username with a quote, which it signs unescaped', async () => {
    const { signatures, request } = clientOf([`${ATLAS}, opaque="5ccc069c"`], 'a"b\\c');
    await request();
    const { opaque, username, cnonce = '', response } = signatures()[1] ?? {};
    expect([opaque, username]).toEqual(['5ccc069c', 'a\\"b\\\\c']);
    const ha1 = md5('a"b\\c', 'MMS Public API', PASSWORD);
    expect(response).toBe(md5(ha1, 'abc', '00000001', cnonce, 'auth', md5('GET', REQUEST.uri)));
  });

  it.each([
    ['beside another scheme', `Basic realm="other", ${ATLAS}`],
    ['before another scheme', `${ATLAS}, Basic realm="other"`],
    ['behind one with an algorithm that is not known', `${UNKNOWN_ALGORITHM}, ${ATLAS}`],
    ['in other letters', ATLAS.replace('Digest', 'DIGEST').replace('realm', 'Realm')],
    ['with spaces around its signs', ATLAS.replaceAll('=', ' = ')],
  ])('finds its challenge %s', async (_where, challenge) => {
    const { signatures, request } = clientOf([challenge]);
    expect(await request()).toMatchObject({ status: 200 });
    expect(signatures()[1]).toMatchObject({ realm: 'MMS Public API', nonce: 'abc' });
  });

  it.each([
    ['no challenge', [null], 1],
    ['an empty one', [''], 1],
    ['another scheme', ['Basic realm="r"'], 1],
    ['no nonce', ['Digest realm="r"'], 1],
    ['an algorithm that is not known', [UNKNOWN_ALGORITHM], 1],
    ['a second challenge that is not stale: the key is wrong', [ATLAS, ATLAS], 2],
    ['a third challenge, however stale', [STALE, STALE, STALE, STALE, STALE], 4],
  ])('returns a 401 with %s', async (_what, challenges, requests) => {
    const { seen, request } = clientOf(challenges);
    expect(await request()).toEqual({ status: 401, challenge: challenges[requests - 1] });
    expect(seen).toHaveLength(requests);
  });

  it('never throws over a challenge, whatever it holds', async () => {
    const parts = ['Digest ', 'realm=', 'nonce=', '"', '\\', ',', ' ', '=', 'stale=true', 'algorithm=MD5'];
    const joined = fc.array(fc.constantFrom(...parts)).map((chosen) => chosen.join(''));
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: ANY_CHARACTER }), joined), async (challenge) => {
        expect(await clientOf([challenge]).request()).toBeDefined();
      }),
    );
  });
});
