import { oauthError, tooManyAccessTokens, type RouteResponse } from './responses';
import type { Call, Route } from './route';

function issueToken(call: Call): RouteResponse {
  const { params, clientId } = tokenRequest(call);
  if (params.get('grant_type') !== 'client_credentials') {
    throw oauthError(400, 'unsupported_grant_type', 'grant_type must be client_credentials.');
  }
  const { accessTokens, seed } = call.state;
  const { settings } = seed;
  if (!accessTokens.countRequest(call.address, clientId, settings)) {
    throw tooManyAccessTokens(settings.accessTokensPerMinute ?? 0);
  }
  const token = accessTokens.issue(clientId, settings);
  if (token === undefined) {
    const limit = `A service account holds at most ${settings.maxLiveAccessTokens} live access tokens.`;
    throw oauthError(403, 'access_denied', limit);
  }
  const body = {
    access_token: token,
    expires_in: settings.accessTokenLifetimeSeconds,
    token_type: 'Bearer',
  };
  return { status: 200, headers: { 'Cache-Control': 'no-store' }, body };
}

/** RFC 7009: the response is the same for a token that is unknown or another account's. */
function revokeToken(call: Call): RouteResponse {
  const { params, clientId } = tokenRequest(call);
  const token = params.get('token');
  if (!token) throw oauthError(400, 'invalid_request', 'The form has no token.');
  call.state.accessTokens.revoke(token, clientId);
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
