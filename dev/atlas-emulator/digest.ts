import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { atlasError, type RouteError } from './responses';
import type { Seed } from './seed';
import type { State } from './state';

export const REALM = 'MMS Public API';

export type SignedRequest = Pick<FastifyRequest, 'method' | 'url' | 'headers'>;

/**
 * The API key that signed this request (RFC 7616, MD5, qop=auth). Throws a new challenge when none
 * did.
 */
export function verifyDigest(
  { method, url, headers }: SignedRequest,
  state: State,
): Seed['apiKeys'][number] {
  const digest = /^Digest (.*)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
  const pairs = [...digest.matchAll(/(\w+)=(?:"([^"]*)"|([^\s,"]+))/g)];
  const parameters: Record<string, string | undefined> = Object.fromEntries(
    pairs.map(([, name = '', quoted, bare]) => [name, quoted ?? bare]),
  );
  const {
    username,
    realm,
    nonce = '',
    uri,
    nc = '',
    cnonce = '',
    qop,
    algorithm = 'MD5',
    response,
  } = parameters;
  const wellFormed =
    realm === REALM &&
    uri === url &&
    qop === 'auth' &&
    algorithm === 'MD5' &&
    /^[0-9a-f]{8}$/i.test(nc);
  const key = state.seed.apiKeys.find(({ publicKey }) => publicKey === username);
  if (!wellFormed || !key) throw challenge(state);

  const ha1 = md5(`${key.publicKey}:${REALM}:${key.privateKey}`);
  const ha2 = md5(`${method}:${uri}`);
  if (response !== md5([ha1, nonce, nc, cnonce, qop, ha2].join(':'))) throw challenge(state);

  const nonceIs = state.nonces.use(nonce, nc.toLowerCase(), state.seed.settings.nonceLifetimeMs);
  if (nonceIs !== 'good') throw challenge(state, nonceIs === 'stale');
  return key;
}

/** The 401 recorded at Atlas, to the letter: MongoDB's Go client splits it at comma and space. */
function challenge(state: State, stale = false): RouteError {
  const nonce = state.nonces.issue();
  const parameters = `domain="", nonce="${nonce}", algorithm=MD5, qop="auth", stale=${stale}`;
  const challenge = `Digest realm="${REALM}", ${parameters}`;
  return atlasError('USER_UNAUTHORIZED', { headers: { 'WWW-Authenticate': challenge } });
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
