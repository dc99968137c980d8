import { z } from 'zod';
import { createExpiring } from '../../http/expiring';
import type { HttpResponse } from '../../http/send';
import { withTimeout } from '../../http/with-timeout';
import { headerFormat, secretReference, type ReferenceContext, type Secret } from '../../secrets';
import { SinkUnavailableError } from '../sink';
import { isSuccess, responseError } from '../utils/status';
import { plainPath } from '../utils/template';

/** How the worker authenticates at Vault: with a token, or with an AppRole that gets one. */
export function vaultAuthSchema(context: ReferenceContext) {
  const secret = secretReference(context, headerFormat);
  return z.discriminatedUnion(
    'method',
    [
      z.strictObject({ method: z.literal('token'), token: secret }),
      z.strictObject({
        method: z.literal('appRole'),
        mount: plainPath.default('approle'),
        roleId: secret,
        secretId: secret,
      }),
    ],
    'names no way to authenticate: write method: token or method: appRole',
  );
}

type VaultAuthConfig = z.output<ReturnType<typeof vaultAuthSchema>>;

/** Sends one request to Vault; `token` goes into its header. `path` is below `/v1/`. */
export type VaultSend = (
  request: { method: 'GET' | 'POST'; path: string; token?: string; body?: object },
  signal: AbortSignal,
) => Promise<HttpResponse>;

export interface VaultIdentity {
  /** @throws SinkUnavailableError, SecretUnavailableError */
  token(signal: AbortSignal): Promise<string>;
  /**
   * Finds out what a 403 means: Vault sends it for an expired token as well as for a denied path.
   *
   * @returns a valid token to try again with, or null when the refused one is valid, so that the path is denied.
   * @throws SinkUnavailableError when there is no valid token.
   */
  afterForbidden(refused: string, signal: AbortSignal): Promise<string | null>;
  /**
   * Finds out whether Vault accepts the credentials now.
   *
   * @returns what it accepts, for a message: `the token from …`.
   * @throws SinkUnavailableError, SinkRejectedError, SecretUnavailableError
   */
  check(signal: AbortSignal): Promise<string>;
}

export function createVaultIdentity(server: string, config: VaultAuthConfig, send: VaultSend): VaultIdentity {
  return config.method === 'token'
    ? tokenIdentity(server, config.token, send)
    : appRoleIdentity(server, config, send);
}

/** What to do about 503. */
export const SEALED = 'it is sealed or down; unseal it';

const LOOKUP = 'auth/token/lookup-self';

/** A token that something else renews or replaces: it is read again for each delivery. */
function tokenIdentity(server: string, token: Secret, send: VaultSend): VaultIdentity {
  /** @throws SinkUnavailableError when Vault does not accept the token. */
  async function lookUp(value: string, signal: AbortSignal): Promise<HttpResponse> {
    const response = await send({ method: 'GET', path: LOOKUP, token: value }, signal);
    // Every valid token may look itself up, unless its policy denies even that.
    if (response.status !== 403) return response;
    throw new SinkUnavailableError(
      `${server} does not accept the token from ${token.source}: it is wrong, expired or revoked; replace it with a valid one`,
    );
  }

  return {
    token: () => Promise.resolve(token.read()),
    async afterForbidden(refused, signal) {
      await lookUp(refused, signal);
      return null;
    },
    async check(signal) {
      const response = await lookUp(token.read(), signal);
      if (isSuccess(response)) return `the token from ${token.source}`;
      throw responseError(`${server}, ${LOOKUP}`, response, {
        404: 'there is no such namespace, or this is no Vault; correct address or namespace',
        503: SEALED,
      });
    },
  };
}

/** A login is renewed this long before its lease ends, or after nine tenths of a short lease. */
const RENEW_BEFORE_EXPIRY_MS = 60_000;

const REVOCATION_TIMEOUT_MS = 2000;

const loginSchema = z.object({
  auth: z.object({ client_token: z.string().min(1), lease_duration: z.number().min(0) }),
});

function appRoleIdentity(
  server: string,
  { mount, roleId, secretId }: Extract<VaultAuthConfig, { method: 'appRole' }>,
  send: VaultSend,
): VaultIdentity {
  const credentials = `the AppRole from ${roleId.source} and ${secretId.source}`;
  // Not the signal of a delivery, since others wait for this login too; the request timeout ends it.
  const login = createExpiring(() => logIn(new AbortController().signal));

  async function logIn(signal: AbortSignal): Promise<{ token: string; renewAtMs: number }> {
    const body = { role_id: roleId.read(), secret_id: secretId.read() };
    const response = await send({ method: 'POST', path: `auth/${mount}/login`, body }, signal);
    const parsed = loginSchema.safeParse(response.json);
    if (!isSuccess(response) || !parsed.success) throw loginError(response);
    const { client_token: token, lease_duration: seconds } = parsed.data.auth;
    const leaseMs = seconds === 0 ? Infinity : seconds * 1000;
    return { token, renewAtMs: Date.now() + leaseMs - Math.min(RENEW_BEFORE_EXPIRY_MS, leaseMs / 10) };
  }

  /** Retryable even if Vault refused: the operator can replace the secret id while the token waits. */
  function loginError(response: HttpResponse): SinkUnavailableError {
    const { message } = responseError(`${server}, login at auth/${mount}`, response, {
      400: 'it does not accept the role id or the secret id, or its uses are used up',
    });
    return new SinkUnavailableError(`${message}; it used ${credentials}`, response.retryAfterMs);
  }

  return {
    token: async (signal) => (await login.get({ signal })).token,
    async afterForbidden(refused, signal) {
      const renewed = await login.get({ signal, isStale: ({ token }) => token === refused });
      return renewed.token;
    },
    async check(signal) {
      // What an earlier login got says nothing about Vault and the credentials now.
      const { token } = await logIn(signal);
      // Otherwise each check leaves a token until its lease ends. Whether that works says nothing about deliveries.
      const revoke = { method: 'POST', path: 'auth/token/revoke-self', token } as const;
      await withTimeout(REVOCATION_TIMEOUT_MS, signal, (brief) => send(revoke, brief)).catch(() => null);
      return credentials;
    },
  };
}
