import { createHash } from 'node:crypto';
import { createDigest } from '../../../src/http/digest';

const USERNAME = 'a"b\\c';
const PASSWORD = 'Circle of Life';
const REQUEST = { method: 'POST', uri: '/dir/index.html?a=1', headers: { accept: 'a/b' } };
const ATLAS =
  'Digest realm="MMS Public API", domain="", nonce="abc", algorithm=MD5, qop="auth", stale=false';
const STALE = ATLAS.replace('abc', 'def').replace('false', 'TRUE');
const UNKNOWN_ALGORITHM = 'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"';

const md5 = (...parts: string[]) => createHash('md5').update(parts.join(':')).digest('hex');

/** Computes the response as RFC 7616 says. */
const responseOf = ({ nonce = '', nc = '', cnonce = '' }) =>
  md5(
    md5(USERNAME, 'MMS Public API', PASSWORD),
    nonce,
    nc,
    cnonce,
    'auth',
    md5('POST', REQUEST.uri),
  );

function parametersOf(header = ''): Record<string, string> {
  const pairs = [...header.matchAll(/(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g)];
  return Object.fromEntries(
    pairs.map(([, name = '', quoted, bare]) => [name, quoted ?? bare ?? '']),
  );
}

/** A client of a server that responds with one challenge after another, and then with 200. */
function clientOf(challenges: (string | null)[], readPassword = () => PASSWORD) {
  const seen: Record<string, string>[] = [];
  const source = 'the test';
  const withDigest = createDigest({ source, read: () => USERNAME }, { source, read: readPassword });
  const send = (headers: Record<string, string>) => {
    const challenge = challenges[seen.push(headers) - 1];
    return Promise.resolve({
      status: challenge === undefined ? 200 : 401,
      challenge: challenge ?? null,
    });
  };
  return {
    seen,
    request: () => withDigest(REQUEST, send),
    signatures: () => seen.map(({ Authorization }) => parametersOf(Authorization)),
  };
}

describe('HTTP Digest', () => {
  it('signs all requests but the first as RFC 7616 says', async () => {
    const { seen, request } = clientOf([`${ATLAS}, opaque="5ccc069c"`]);
    expect(await request()).toMatchObject({ status: 200 });
    await Promise.all(Array.from({ length: 16 }, request));

    const [unsigned, ...signed] = seen;
    expect(unsigned).toEqual({ accept: 'a/b' });
    const cnonces = signed.map(({ Authorization: authorization = '', ...headers }, i) => {
      expect(headers).toEqual({ accept: 'a/b' });
      const parameters = parametersOf(authorization);
      expect(parameters).toEqual({
        // The username is escaped here, and not in the response.
        username: 'a\\"b\\\\c',
        realm: 'MMS Public API',
        nonce: 'abc',
        uri: REQUEST.uri,
        algorithm: 'MD5',
        qop: 'auth',
        nc: (i + 1).toString(16).padStart(8, '0'),
        opaque: '5ccc069c',
        cnonce: expect.any(String),
        response: responseOf(parameters),
      });
      // RFC 7616, 3.4: these are not quoted.
      expect(authorization).toMatch(/^Digest .*, nc=[0-9a-f]{8}, qop=auth, algorithm=MD5$/);
      return parameters['cnonce'];
    });
    expect(new Set(cnonces).size).toBe(17);
  });

  it('uses the nonce of the latest challenge and the current key, and counts anew', async () => {
    const { signatures, request } = clientOf(
      [ATLAS, STALE],
      jest.fn(() => PASSWORD).mockReturnValueOnce(''),
    );
    await request();
    const latest = signatures().at(-1) ?? {};
    expect(latest).toMatchObject({ nonce: 'def', nc: '00000001', response: responseOf(latest) });
  });

  it.each([
    ['among those of other schemes', `Basic realm="other", ${ATLAS}, Basic realm="other"`],
    ['behind one with an algorithm that is not known', `${UNKNOWN_ALGORITHM}, ${ATLAS}`],
    [
      'in capitals and with spaces',
      ATLAS.replace('Digest realm', 'DIGEST Realm').replaceAll('=', ' = '),
    ],
  ])('finds its challenge %s', async (_where, challenge) => {
    const { signatures, request } = clientOf([challenge]);
    expect(await request()).toMatchObject({ status: 200 });
    expect(signatures()[1]).toMatchObject({ realm: 'MMS Public API', nonce: 'abc' });
  });

  it.each([
    ['no challenge', [null], 1],
    ['no nonce', ['Digest realm="r"'], 1],
    ['an algorithm that is not known', [UNKNOWN_ALGORITHM], 1],
    ['a second challenge that is not stale: the key is wrong', [ATLAS, ATLAS], 2],
    ['a fourth challenge, however stale', [STALE, STALE, STALE, STALE, STALE], 4],
  ])('returns a 401 with %s', async (_what, challenges, requests) => {
    const { seen, request } = clientOf(challenges);
    expect(await request()).toEqual({ status: 401, challenge: challenges[requests - 1] });
    expect(seen).toHaveLength(requests);
  });
});
