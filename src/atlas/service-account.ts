import { z } from 'zod';
import { headerFormat } from '../secrets/read-secret';
import { createTokenCache, timeUntilRenewalMs } from './access-token-cache';
import type { AtlasRequest, Credential, Send, ServiceAccountConfig } from './credential';
import { responseError } from './outcomes';

const accessTokenSchema = z.object({
  access_token: z.string().refine((token) => headerFormat(token) === null),
  expires_in: z.number().positive(),
});

/**
 * Creates a client that authenticates with a service account (OAuth 2.0 client credentials). Atlas
 * allows an account 100 live tokens, so all attempts of this worker share one. The last one is
 * revoked at the end.
 */
export function createServiceAccount(config: ServiceAccountConfig, send: Send): Credential {
  const accessTokens = createTokenCache(() => fetchAccessToken(config, send));
  let renewal: Promise<void> | null = null;

  async function replaceToken(): Promise<void> {
    const replaced = accessTokens.peek();
    await accessTokens.replace();
    await revokeQuietly(replaced);
  }

  async function revokeQuietly(token: Promise<AccessToken> | null): Promise<void> {
    const accessToken = await token?.catch(() => null);
    if (!accessToken) return;
    const form = { token: accessToken.value, token_type_hint: 'access_token' };
    await sendForm('/api/oauth/revoke', form, config, send).catch(() => undefined);
  }

  return {
    async send(request) {
      const cached = accessTokens.peek();
      const token = await accessTokens.get();
      const response = await send(withBearer(request, token));
      if (response.status !== 401) return response;
      // Another call replaced the token meanwhile, and revoked it.
      const wasReplaced = (await accessTokens.peek()?.catch(() => null)) !== token;
      // A token that this call fetched, or that has just been accepted, has not expired.
      const wasCached = (await cached?.catch(() => null)) === token;
      if (!wasReplaced && (request.followsSuccess || !wasCached)) return response;
      const renewed = await accessTokens.get((current) => current === token);
      return send(withBearer(request, renewed));
    },

    async renew() {
      // Calls at the same time share one renewal: each token that is replaced must be revoked.
      renewal ??= replaceToken().finally(() => {
        renewal = null;
      });
      await renewal;
    },

    close: () => revokeQuietly(accessTokens.peek()),
  };
}

async function fetchAccessToken(config: ServiceAccountConfig, send: Send) {
  const response = await sendForm(
    '/api/oauth/token',
    { grant_type: 'client_credentials' },
    config,
    send,
  );
  const parsed = response.status === 200 ? accessTokenSchema.safeParse(response.json) : null;
  if (!parsed?.success) throw responseError('oauthToken', response);
  const renewAtMs = Date.now() + timeUntilRenewalMs(parsed.data.expires_in * 1000);
  return { value: parsed.data.access_token, renewAtMs };
}

type AccessToken = Awaited<ReturnType<typeof fetchAccessToken>>;

/** Sends a form with HTTP Basic, without the URL encoding of RFC 6749. It reads the secret anew. */
async function sendForm(
  path: string,
  form: Record<string, string>,
  config: ServiceAccountConfig,
  send: Send,
) {
  const basic = Buffer.from(`${config.clientId.read()}:${config.clientSecret.read()}`).toString(
    'base64',
  );
  const headers = {
    Authorization: `Basic ${basic}`,
    Accept: 'application/json',
    'Content-Type': 'application/x-www-form-urlencoded',
  };
  const body = new URLSearchParams(form).toString();
  return send({ endpoint: 'oauthToken', method: 'POST', path, headers, body });
}

function withBearer(request: AtlasRequest, { value }: AccessToken): AtlasRequest {
  return { ...request, headers: { ...request.headers, Authorization: `Bearer ${value}` } };
}
