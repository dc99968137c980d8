import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import {
  atlasError,
  oauthError,
  tooManyAccessTokens,
  type RouteError,
  type RouteResponse,
} from './responses';
import type { Call, Credential, Route } from './route';
import type { Seed } from './seed';
import type { State } from './state';

const REALM = 'MMS Public API';

type SignedRequest = Pick<FastifyRequest, 'method' | 'url' | 'headers'>;

/**
 * Finds the caller. @throws RouteError: a Digest challenge, or 401 for a bearer token that is not
 * valid.
 */
export function authenticate(
  request: SignedRequest,
  access: 'atlas' | 'digest',
  state: State,
): Credential {
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (bearer !== undefined && access === 'atlas') return ownerOfBearer(bearer, state);
  const { publicKey, orgId, roles } = verifyDigest(request, state);
  return { id: publicKey, orgId, roles };
}

/**
 * Throws RouteError unless the caller owns the organization in the path; a credential belongs to
 * one.
 */
export function requireOwner(
  credential: Credential,
  orgId: string,
  organizations: { id: string }[],
): void {
  const parameters = [orgId];
  if (!/^[a-f0-9]{24}$/.test(orgId)) throw atlasError('INVALID_ORG_ID', { parameters });
  if (!organizations.some(({ id }) => id === orgId)) {
    throw atlasError('ORG_NOT_FOUND', { parameters });
  }
  if (credential.orgId !== orgId) throw atlasError('USER_CANNOT_ACCESS_ORG', { parameters });
  if (!credential.roles.includes('ORG_OWNER')) throw atlasError('NOT_ORG_OWNER', { parameters });
}

/**
 * Finds the organization of a request: that of its path, or of the service account that sends HTTP
 * Basic.
 */
export function findOrganization(
  { params, headers }: Pick<FastifyRequest, 'params' | 'headers'>,
  { seed }: State,
): string | undefined {
  const { orgId } = params as { orgId?: string };
  const basic = /^Basic (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
  const [sender] = Buffer.from(basic, 'base64').toString().split(':');
  return orgId ?? seed.serviceAccounts.find(({ clientId }) => clientId === sender)?.orgId;
}

function ownerOfBearer(token: string, state: State): Credential {
  const owner = state.ownerOf(token);
  const account = state.seed.serviceAccounts.find(({ clientId }) => clientId === owner);
  if (account) return { id: account.clientId, orgId: account.orgId, roles: account.roles };
  const headers = { 'WWW-Authenticate': `Bearer realm="${REALM}", error="invalid_token"` };
  throw atlasError('USER_UNAUTHORIZED', { headers });
}

/**
 * The API key that signed this request (RFC 7616, MD5, qop=auth). Throws a new challenge when none
 * did.
 */
function verifyDigest(
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

  const nonceIs = state.useNonce(nonce, nc.toLowerCase());
  if (nonceIs !== 'good') throw challenge(state, nonceIs === 'stale');
  return key;
}

/** The 401 recorded at Atlas, to the letter: MongoDB's Go client splits it at comma and space. */
function challenge(state: State, stale = false): RouteError {
  const nonce = state.issueNonce();
  const parameters = `domain="", nonce="${nonce}", algorithm=MD5, qop="auth", stale=${stale}`;
  const challenge = `Digest realm="${REALM}", ${parameters}`;
  return atlasError('USER_UNAUTHORIZED', { headers: { 'WWW-Authenticate': challenge } });
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

function issueToken(call: Call): RouteResponse {
  const { params, clientId } = tokenRequest(call);
  if (params.get('grant_type') !== 'client_credentials') {
    throw oauthError(400, 'unsupported_grant_type', 'grant_type must be client_credentials.');
  }
  const { accessTokensPerMinute, maxLiveAccessTokens, accessTokenLifetimeSeconds } =
    call.state.seed.settings;
  if (!call.state.countTokenRequest(call.address, clientId)) {
    throw tooManyAccessTokens(accessTokensPerMinute ?? 0);
  }
  const token = call.state.issueAccessToken(clientId);
  if (token === undefined) {
    const limit = `A service account holds at most ${maxLiveAccessTokens} live access tokens.`;
    throw oauthError(403, 'access_denied', limit);
  }
  const body = {
    access_token: token,
    expires_in: accessTokenLifetimeSeconds,
    token_type: 'Bearer',
  };
  return { status: 200, headers: { 'Cache-Control': 'no-store' }, body };
}

/** RFC 7009: the response is the same for a token that is unknown or another account's. */
function revokeToken(call: Call): RouteResponse {
  const { params, clientId } = tokenRequest(call);
  const token = params.get('token');
  if (!token) throw oauthError(400, 'invalid_request', 'The form has no token.');
  call.state.revoke(token, clientId);
  return { status: 200, body: '' };
}

/**
 * The form, and the account named by HTTP Basic, taken raw as Atlas does (a url-encoded `_` is a
 * wrong id), or by the form, to which Go's oauth2 falls back.
 */
function tokenRequest({ headers, body, state }: Call): {
  params: URLSearchParams;
  clientId: string;
} {
  if (headers['content-type']?.split(';')[0]?.trim() !== 'application/x-www-form-urlencoded') {
    throw oauthError(400, 'invalid_request', 'The body must be application/x-www-form-urlencoded.');
  }
  const params = new URLSearchParams(body);
  const basic = /^Basic (.+)$/i.exec(headers.authorization ?? '')?.[1];
  const decoded = /^([^:]*):(.*)$/s.exec(Buffer.from(basic ?? '', 'base64').toString());
  const [clientId, clientSecret] = basic
    ? (decoded?.slice(1) ?? [])
    : [params.get('client_id'), params.get('client_secret')];
  const account = state.seed.serviceAccounts.find((candidate) => candidate.clientId === clientId);
  if (!account || account.clientSecret !== clientSecret) {
    throw oauthError(401, 'invalid_client', 'The client id or the client secret is wrong.');
  }
  return { params, clientId: account.clientId };
}

export const oauthRoutes: Route[] = [
  { on: 'oauth', method: 'POST', url: '/api/oauth/token', access: 'open', handle: issueToken },
  {
    on: 'oauthRevoke',
    method: 'POST',
    url: '/api/oauth/revoke',
    access: 'open',
    handle: revokeToken,
  },
];
