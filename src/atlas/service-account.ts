import { z } from 'zod';
import type { ServiceAccountConfig } from './credential-config';
import type { Credential } from './credential';
import { AtlasAnswerError } from './errors';
import { parseJson } from '../http';
import type { AtlasAnswer, AtlasRequest, Send } from './messages';

/** Dropped this long before it expires, so that no request starts with a token about to run out. */
const RENEW_BEFORE_EXPIRY_MS = 60_000;

const accessTokenSchema = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() });

interface AccessToken {
  value: string;
  renewAtMs: number;
}

/**
 * A service account: OAuth 2.0 client credentials. Atlas allows an account 100 live tokens, so one is shared by all
 * attempts of this worker, fetched once however many of them wait for it, and revoked at the end.
 */
export function createServiceAccount(config: ServiceAccountConfig, send: Send): Credential {
  let current: Promise<AccessToken> | null = null;

  function accessToken(): Promise<AccessToken> {
    const fetching = (current ??= fetchAccessToken(config, send));
    // A failure is not kept: the next attempt asks again.
    fetching.catch(() => drop(fetching));
    return fetching;
  }

  function drop(stale: Promise<AccessToken>): void {
    if (current === stale) current = null;
  }

  async function freshAccessToken(): Promise<{ token: AccessToken; drop: () => void; cached: boolean }> {
    const before = current;
    let fetching = accessToken();
    let token = await fetching;
    if (token.renewAtMs <= Date.now()) {
      drop(fetching);
      fetching = accessToken();
      token = await fetching;
    }
    return { token, cached: fetching === before, drop: () => drop(fetching) };
  }

  return {
    async send(request) {
      const first = await freshAccessToken();
      const answer = await send(withBearer(request, first.token));
      if (answer.status !== 401) return answer;
      first.drop();
      if (!first.cached) return answer;
      const second = await freshAccessToken();
      return send(withBearer(request, second.token));
    },

    async close() {
      const token = await current?.catch(() => null);
      current = null;
      if (token) await revoke(token, config, send).catch(() => undefined);
    },
  };
}

async function fetchAccessToken(config: ServiceAccountConfig, send: Send): Promise<AccessToken> {
  const answer = await send(tokenRequest('/api/oauth/token', { grant_type: 'client_credentials' }, config));
  const parsed = answer.status === 200 ? accessTokenSchema.safeParse(parseJson(answer.body)) : null;
  if (!parsed?.success) throw new AtlasAnswerError('oauthToken', answer);
  const lifetimeMs = parsed.data.expires_in * 1000;
  const renewAtMs = Date.now() + Math.max(lifetimeMs - RENEW_BEFORE_EXPIRY_MS, lifetimeMs / 2);
  return { value: parsed.data.access_token, renewAtMs };
}

/** RFC 7009; Atlas has it at `/api/oauth/revoke`. */
async function revoke(token: AccessToken, config: ServiceAccountConfig, send: Send): Promise<AtlasAnswer> {
  return send(
    tokenRequest('/api/oauth/revoke', { token: token.value, token_type_hint: 'access_token' }, config),
  );
}

/** HTTP Basic without URL encoding, as Atlas takes it. The secret is read each time, so a rotated one is seen. */
function tokenRequest(
  path: string,
  form: Record<string, string>,
  config: ServiceAccountConfig,
): AtlasRequest {
  const basic = Buffer.from(`${config.clientId.read()}:${config.clientSecret.read()}`).toString('base64');
  return {
    endpoint: 'oauthToken',
    method: 'POST',
    path,
    headers: {
      Authorization: `Basic ${basic}`,
      Accept: 'application/json',
      'Content-Type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams(form).toString(),
  };
}

function withBearer(request: AtlasRequest, { value }: AccessToken): AtlasRequest {
  return { ...request, headers: { ...request.headers, Authorization: `Bearer ${value}` } };
}
