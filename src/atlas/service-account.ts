import { z } from 'zod';
import { headerFormat } from '../secrets/read-secret';
import type { AtlasRequest, Credential, Send, ServiceAccountConfig } from './credential';
import { responseError } from './outcomes';

const accessTokenSchema = z.object({
  access_token: z.string().refine((token) => headerFormat(token) === null),
  expires_in: z.number().positive(),
});

/**
 * Creates a client that authenticates with a service account (OAuth 2.0 client credentials). Atlas
 * allows an account 100 live tokens, so all attempts of this worker share one, until it expires or
 * Atlas refuses it.
 */
export function createServiceAccount(
  name: string,
  config: ServiceAccountConfig,
  send: Send,
): Credential {
  let current: Promise<AccessToken> | null = null;

  /** Fetches a token once for all callers that wait. A failure is not cached. */
  function fetchOnce(): Promise<AccessToken> {
    const token = (current ??= fetchAccessToken(name, config, send));
    token.catch(() => drop(token));
    return token;
  }

  function drop(stale: Promise<AccessToken>): void {
    if (current === stale) current = null;
  }

  /** @param refused a token that Atlas did not accept. */
  async function getToken(refused?: AccessToken): Promise<AccessToken> {
    const cached = fetchOnce();
    const token = await cached;
    if (token.renewAtMs > Date.now() && token !== refused) return token;
    drop(cached);
    return fetchOnce();
  }

  return {
    async send(request) {
      const cached = current;
      const token = await getToken();
      const response = await send(withBearer(request, token));
      // A token that this call fetched, or that has just been accepted, has not expired.
      const mayHaveExpired = !request.followsSuccess && cached !== null && token === (await cached);
      if (response.status !== 401 || !mayHaveExpired) return response;
      return send(withBearer(request, await getToken(token)));
    },
  };
}

async function fetchAccessToken(name: string, config: ServiceAccountConfig, send: Send) {
  const response = await requestToken(config, send);
  const parsed = response.status === 200 ? accessTokenSchema.safeParse(response.json) : null;
  if (!parsed?.success) throw responseError('oauthToken', name, response);
  const renewAtMs = Date.now() + timeUntilRenewalMs(parsed.data.expires_in * 1000);
  return { value: parsed.data.access_token, renewAtMs };
}

type AccessToken = Awaited<ReturnType<typeof fetchAccessToken>>;

/**
 * Time before expiry at which a token is renewed, so that it does not expire during a usual
 * request.
 */
const MARGIN_MS = 60_000;

/** Computes how long a token is used. A token of a short lifetime is used for half of it. */
export function timeUntilRenewalMs(lifetimeMs: number): number {
  return Math.max(lifetimeMs - MARGIN_MS, lifetimeMs / 2);
}

/** Sends a form with HTTP Basic, without the URL encoding of RFC 6749. It reads the secret anew. */
function requestToken({ clientId, clientSecret }: ServiceAccountConfig, send: Send) {
  const basic = Buffer.from(`${clientId.read()}:${clientSecret.read()}`).toString('base64');
  const headers = {
    Authorization: `Basic ${basic}`,
    Accept: 'application/json',
    'Content-Type': 'application/x-www-form-urlencoded',
  };
  const body = 'grant_type=client_credentials';
  return send({ endpoint: 'oauthToken', method: 'POST', path: '/api/oauth/token', headers, body });
}

function withBearer(request: AtlasRequest, { value }: AccessToken): AtlasRequest {
  return { ...request, headers: { ...request.headers, Authorization: `Bearer ${value}` } };
}
