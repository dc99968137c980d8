import { createHash, randomBytes } from 'node:crypto';
import type { Secret } from '../secrets/read-secret';

/** A renewed nonce can expire before it is used, if many requests run at once. */
const MAX_CHALLENGES = 3;

interface SignedPart {
  method: string;
  /** Path and query. */
  uri: string;
  headers: Readonly<Record<string, string>>;
}

/**
 * Creates a client of HTTP Digest (RFC 7616) with MD5 and qop=auth, the form that Atlas and Cloud
 * Manager send. It keeps the nonce, so that only the first request is challenged. A server does not
 * act on a request that it challenges.
 */
export function createDigest(username: Secret, password: Secret) {
  /** Signs with the nonce of the last challenge. */
  let sign: ((request: SignedPart) => string) | null = null;

  return async <Response extends { status: number; challenge: string | null }>(
    request: SignedPart,
    send: (headers: Record<string, string>) => Promise<Response>,
  ): Promise<Response> => {
    const sendSigned = () => {
      const headers = { ...request.headers };
      if (sign) headers['Authorization'] = sign(request);
      return send(headers);
    };
    let response = await sendSigned();
    for (let challenges = 0; challenges < MAX_CHALLENGES; challenges++) {
      const challenge = response.status === 401 ? parseChallenge(response.challenge) : null;
      // The first challenge is part of the scheme. Another one means a wrong key, unless it says
      // `stale`.
      if (!challenge || (challenges > 0 && !challenge.stale)) break;
      // Read again, so that a rotated key needs no restart.
      sign = createSignature(username.read(), password.read(), challenge);
      response = await sendSigned();
    }
    return response;
  };
}

/** Finds the first Digest challenge in a header that this client can answer. */
function parseChallenge(header: string | null) {
  const challenges = (header ?? '')
    .split(/,\s*(?=\w+\s+\w+\s*=)/)
    .filter((text) => /^\s*Digest\s/i.test(text));
  for (const text of challenges) {
    const { realm, nonce, opaque, stale, algorithm = 'MD5' } = parseParameters(text);
    if (realm === undefined || nonce === undefined || algorithm.toUpperCase() !== 'MD5') continue;
    return { realm, nonce, opaque, stale: stale?.toLowerCase() === 'true' };
  }
  return null;
}

function parseParameters(challenge: string): Record<string, string | undefined> {
  const pairs = [...challenge.matchAll(/\b(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g)];
  return Object.fromEntries(
    pairs.map(([, name = '', quoted, token]) => [name.toLowerCase(), quoted ?? token]),
  );
}

type Challenge = NonNullable<ReturnType<typeof parseChallenge>>;

/**
 * Creates the function that signs requests. Each gets the next count: servers refuse a repeated
 * one.
 */
function createSignature(username: string, password: string, { realm, nonce, opaque }: Challenge) {
  const ha1 = md5(username, realm, password);
  let count = 0;
  return ({ method, uri }: SignedPart): string => {
    const nc = (++count).toString(16).padStart(8, '0');
    const cnonce = randomBytes(16).toString('hex');
    const response = md5(ha1, nonce, nc, cnonce, 'auth', md5(method, uri));
    const escaped = username.replace(/["\\]/g, '\\$&');
    const parameters = Object.entries({
      username: escaped,
      realm,
      nonce,
      uri,
      cnonce,
      response,
      opaque,
    })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}="${value}"`);
    parameters.push(`nc=${nc}`, 'qop=auth', 'algorithm=MD5');
    return `Digest ${parameters.join(', ')}`;
  };
}

function md5(...parts: string[]): string {
  return createHash('md5').update(parts.join(':')).digest('hex');
}
