import { createHash } from 'node:crypto';
import { atlasError, type RouteError } from './errors';
import type { Seed } from './seed';
import type { Store } from './store';

const REALM = 'MMS Public API';

/** The 401 recorded at Atlas, word for word: MongoDB's Go client splits it at comma and space. */
export function challenge(store: Store, stale = false): RouteError {
  const nonce = store.nonces.issue();
  return atlasError('USER_UNAUTHORIZED', {
    headers: {
      'WWW-Authenticate': `Digest realm="${REALM}", domain="", nonce="${nonce}", algorithm=MD5, qop="auth", stale=${stale}`,
    },
  });
}

/** The API key that signed this request (RFC 7616, MD5, qop=auth). Throws a new challenge when none did. */
export function verifyDigest(
  authorization: string,
  method: string,
  url: string,
  store: Store,
): Seed['apiKeys'][number] {
  const sent = parameters(authorization);
  const { username, realm, nonce = '', uri, nc = '', cnonce = '', qop, algorithm = 'MD5', response } = sent;
  const wellFormed =
    realm === REALM && uri === url && qop === 'auth' && algorithm === 'MD5' && /^[0-9a-f]{8}$/i.test(nc);
  const key = store.seed.apiKeys.find(({ publicKey }) => publicKey === username);
  if (!wellFormed || !key) throw challenge(store);

  const ha1 = md5(`${key.publicKey}:${REALM}:${key.privateKey}`);
  const ha2 = md5(`${method}:${uri}`);
  if (response !== md5([ha1, nonce, nc, cnonce, qop, ha2].join(':'))) throw challenge(store);

  const nonceIs = store.nonces.use(nonce, nc.toLowerCase(), store.seed.settings.nonceLifetimeMs);
  if (nonceIs !== 'good') throw challenge(store, nonceIs === 'stale');
  return key;
}

function parameters(authorization: string): Record<string, string | undefined> {
  const pairs = authorization.matchAll(/(\w+)=(?:"([^"]*)"|([^\s,"]+))/g);
  return Object.fromEntries([...pairs].map(([, name = '', quoted, bare]) => [name, quoted ?? bare]));
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
