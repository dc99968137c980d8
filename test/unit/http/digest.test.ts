import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { createDigest } from '../../../src/http/digest';
import type { Secret } from '../../../src/secrets';
import { ANY_CHARACTER } from '../../support/any-character';

const USERNAME = 'Mufasa';
const PASSWORD = 'Circle of Life';
const REQUEST = { method: 'GET', uri: '/dir/index.html?a=1', headers: { accept: 'a/b' } };
const ATLAS = 'Digest realm="MMS Public API", domain="", nonce="abc", algorithm=MD5, qop="auth", stale=false';

function secretOf(value: string): Secret {
  return { source: 'the test', read: () => value };
}

const md5 = (...parts: string[]) => createHash('md5').update(parts.join(':')).digest('hex');

function parametersOf(header = ''): Record<string, string | undefined> {
  const pairs = [...header.matchAll(/(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g)];
  return Object.fromEntries(pairs.map(([, name = '', quoted, bare]) => [name, quoted ?? bare]));
}

/** A server that responds with one challenge after another, and then with 200. */
function server(...challenges: (string | null)[]) {
  const seen: Record<string, string>[] = [];
  const left = [...challenges];
  return {
    seen,
    signatures: () => seen.map(({ authorization }) => authorization),
    send: (headers: Record<string, string>) => {
      seen.push(headers);
      const challenge = left.shift();
      return Promise.resolve(
        challenge === undefined ? { status: 200, challenge: null } : { status: 401, challenge },
      );
    },
  };
}

const digest = () => createDigest(secretOf(USERNAME), secretOf(PASSWORD));

describe('HTTP Digest', () => {
  it('sends the first request unsigned, and signs what follows as RFC 7616 says', async () => {
    const { seen, send } = server(ATLAS);
    const withDigest = digest();
    expect(await withDigest(REQUEST, send)).toMatchObject({ status: 200 });
    await withDigest({ ...REQUEST, method: 'POST' }, send);

    const [unsigned, ...signed] = seen;
    expect(unsigned).toEqual({ accept: 'a/b' });
    expect(signed).toHaveLength(2);
    signed.forEach(({ authorization, ...others }, i) => {
      expect(others).toEqual({ accept: 'a/b' });
      expect(authorization).toMatch(/^Digest /);
      const { cnonce = '', ...parameters } = parametersOf(authorization);
      const nc = `0000000${i + 1}`;
      const ha1 = md5(USERNAME, 'MMS Public API', PASSWORD);
      const ha2 = md5(i === 0 ? 'GET' : 'POST', REQUEST.uri);
      expect(parameters).toEqual({
        username: USERNAME,
        realm: 'MMS Public API',
        nonce: 'abc',
        uri: REQUEST.uri,
        algorithm: 'MD5',
        qop: 'auth',
        nc,
        response: md5(ha1, 'abc', nc, cnonce, 'auth', ha2),
      });
      // RFC 7616, 3.4: these are not quoted.
      expect(authorization).toMatch(/, nc=[0-9a-f]{8}, qop=auth, algorithm=MD5$/);
    });
    const cnonces = signed.map(({ authorization }) => parametersOf(authorization)['cnonce']);
    expect(new Set(cnonces).size).toBe(2);
  });

  it('counts in hexadecimal, before the response', async () => {
    const { signatures, send } = server(ATLAS);
    const withDigest = digest();
    await withDigest(REQUEST, send);
    await Promise.all(Array.from({ length: 16 }, () => withDigest(REQUEST, send)));
    const counts = signatures().map((signature) => parametersOf(signature)['nc']);
    expect(counts.slice(-3)).toEqual(['0000000f', '00000010', '00000011']);
    expect(new Set(counts).size).toBe(counts.length);
  });

  it('signs with the nonce of the latest challenge, and counts from one', async () => {
    const { signatures, send } = server(ATLAS, ATLAS.replace('abc', 'def').replace('false', 'true'));
    await digest()(REQUEST, send);
    expect(signatures().map((s) => [parametersOf(s)['nonce'], parametersOf(s)['nc']])).toEqual([
      [undefined, undefined],
      ['abc', '00000001'],
      ['def', '00000001'],
    ]);
  });

  it('sends back what is opaque', async () => {
    const { signatures, send } = server(`${ATLAS}, opaque="5ccc069c"`);
    await digest()(REQUEST, send);
    expect(parametersOf(signatures()[1])['opaque']).toBe('5ccc069c');
  });

  it('escapes a username that has a quote in it, and signs it unescaped', async () => {
    const { signatures, send } = server(ATLAS);
    await createDigest(secretOf('a"b\\c'), secretOf(PASSWORD))(REQUEST, send);
    const { username, cnonce = '', response } = parametersOf(signatures()[1]);
    expect(username).toBe('a\\"b\\\\c');
    const ha1 = md5('a"b\\c', 'MMS Public API', PASSWORD);
    expect(response).toBe(md5(ha1, 'abc', '00000001', cnonce, 'auth', md5('GET', REQUEST.uri)));
  });

  it.each([
    ['beside another scheme', `Basic realm="other", ${ATLAS}`],
    ['before another scheme', `${ATLAS}, Basic realm="other"`],
    [
      'behind one with an algorithm that is not known',
      `Digest realm="r", nonce="n", algorithm=SHA-256, ${ATLAS}`,
    ],
    ['in other letters', ATLAS.replace('Digest', 'DIGEST').replace('realm', 'Realm')],
    ['with spaces around its signs', ATLAS.replaceAll('=', ' = ')],
  ])('finds its challenge %s', async (_where, challenge) => {
    const { signatures, send } = server(challenge);
    expect(await digest()(REQUEST, send)).toMatchObject({ status: 200 });
    expect(parametersOf(signatures()[1])).toMatchObject({ realm: 'MMS Public API', nonce: 'abc' });
  });

  it.each([
    ['no challenge', null],
    ['an empty one', ''],
    ['another scheme', 'Basic realm="r"'],
    ['no nonce', 'Digest realm="r"'],
    ['an algorithm that is not known', 'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"'],
  ])('returns a 401 with %s', async (_what, challenge) => {
    const { seen, send } = server(challenge);
    expect(await digest()(REQUEST, send)).toEqual({ status: 401, challenge });
    expect(seen).toHaveLength(1);
  });

  it('returns a second challenge that is not stale: the key is wrong', async () => {
    const { seen, send } = server(ATLAS, ATLAS);
    expect(await digest()(REQUEST, send)).toMatchObject({ status: 401 });
    expect(seen).toHaveLength(2);
  });

  it('gives up after three challenges, however stale', async () => {
    const stale = ATLAS.replace('false', 'TRUE');
    const { seen, send } = server(stale, stale, stale, stale, stale);
    expect(await digest()(REQUEST, send)).toMatchObject({ status: 401 });
    expect(seen).toHaveLength(4);
  });

  it('never throws over a challenge, whatever it holds', async () => {
    const word = fc.constantFrom(
      'Digest ',
      'realm=',
      'nonce=',
      '"',
      '\\',
      ',',
      ' ',
      '=',
      'stale=true',
      'algorithm=MD5',
    );
    const challenge = fc.oneof(
      fc.string({ unit: ANY_CHARACTER }),
      fc.array(word).map((words) => words.join('')),
    );
    await fc.assert(
      fc.asyncProperty(challenge, async (text) => {
        expect(await digest()(REQUEST, server(text).send)).toBeDefined();
      }),
    );
  });
});
