import type { Answer } from './answer';
import { oauthError } from './errors';
import type { Call, Route } from './route';
import type { Seed } from './seed';

function form(call: Call): URLSearchParams {
  if (call.headers['content-type']?.split(';')[0]?.trim() !== 'application/x-www-form-urlencoded') {
    throw oauthError(400, 'invalid_request', 'The body must be application/x-www-form-urlencoded.');
  }
  return new URLSearchParams(call.body);
}

/**
 * The account named by HTTP Basic, taken raw as Atlas does (a url-encoded `_` is a wrong id), or by the form, to
 * which Go's oauth2 falls back.
 */
function serviceAccount({ headers, store }: Call, params: URLSearchParams): Seed['serviceAccounts'][number] {
  const basic = /^Basic (.+)$/i.exec(headers.authorization ?? '')?.[1];
  const [clientId, clientSecret] = basic
    ? (Buffer.from(basic, 'base64')
        .toString()
        .match(/^([^:]*):(.*)$/s)
        ?.slice(1) ?? [])
    : [params.get('client_id'), params.get('client_secret')];
  const account = store.seed.serviceAccounts.find((candidate) => candidate.clientId === clientId);
  if (!account || account.clientSecret !== clientSecret) {
    throw oauthError(401, 'invalid_client', 'The client id or the client secret is wrong.');
  }
  return account;
}

function issueToken(call: Call): Answer {
  const params = form(call);
  const { clientId } = serviceAccount(call, params);
  if (params.get('grant_type') !== 'client_credentials') {
    throw oauthError(400, 'unsupported_grant_type', 'grant_type must be client_credentials.');
  }
  const { settings } = call.store.seed;
  const token = call.store.accessTokens.issue(clientId, settings);
  if (token === undefined) {
    const limit = `A service account holds at most ${settings.maxLiveAccessTokens} live access tokens.`;
    throw oauthError(403, 'access_denied', limit);
  }
  return {
    status: 200,
    headers: { 'Cache-Control': 'no-store' },
    body: {
      access_token: token,
      expires_in: settings.accessTokenLifetimeSeconds,
      token_type: 'Bearer',
    },
  };
}

/** RFC 7009: a token that is unknown or another's is answered as if it had been revoked. */
function revokeToken(call: Call): Answer {
  const params = form(call);
  const { clientId } = serviceAccount(call, params);
  const token = params.get('token');
  if (!token) throw oauthError(400, 'invalid_request', 'The form has no token.');
  call.store.accessTokens.revoke(token, clientId);
  return { status: 200, body: '' };
}

export const oauthRoutes: Route[] = [
  { on: 'oauth', method: 'POST', url: '/api/oauth/token', access: 'open', handle: issueToken },
  { on: 'oauthRevoke', method: 'POST', url: '/api/oauth/revoke', access: 'open', handle: revokeToken },
];
