import { z } from 'zod';
import { raceSignal } from '../../abort';
import { createTokenCache } from '../../http/token-cache';
import { headerFormat, textOrReference, secretReference, type ReferenceContext } from '../../secrets/references';
import { SinkRejectedError, SinkUnavailableError } from '../sink';
import { isSuccess } from '../utils/http';
import { plainPath } from '../utils/secret-store';
import { vaultError, type VaultClient } from './client';
import { LoginRefusedError, shareLogin, type VaultLogin } from './logins';

export function vaultAuthSchema(context: ReferenceContext) {
  const secret = secretReference(context, headerFormat);
  return z.discriminatedUnion(
    'method',
    [
      z.strictObject({ method: z.literal('token'), token: secret }),
      z.strictObject({
        method: z.literal('appRole'),
        mount: plainPath.default('approle'),
        roleId: textOrReference(context, headerFormat),
        secretId: secret,
      }),
    ],
    'names no way to authenticate: write method: token or method: appRole',
  );
}

type VaultAuthConfig = z.output<ReturnType<typeof vaultAuthSchema>>;
type AuthBy<Method extends string> = Extract<VaultAuthConfig, { method: Method }>;

export interface VaultIdentity {
  /** Description for messages, such as `the token from environment variable VAULT_TOKEN`. */
  readonly description: string;
  /**
   * @param refused a token to which Vault responded with 403, as it does to an expired one and to a denied path.
   * @throws SinkUnavailableError, such as when there is no token other than `refused`; SecretUnavailableError.
   */
  token(signal: AbortSignal, refused?: string): Promise<string>;
}

/** @param isCheck true to log in once, even soon after a refusal, which is then a SinkRejectedError. */
export function createVaultIdentity(client: VaultClient, config: VaultAuthConfig, isCheck = false): VaultIdentity {
  return config.method === 'token'
    ? createTokenIdentity(client.server, config)
    : createAppRoleIdentity(client, config, isCheck);
}

/** Reads the token for each request: others renew or replace it. */
function createTokenIdentity(server: string, { token: secret }: AuthBy<'token'>): VaultIdentity {
  const description = `the token from ${secret.source}`;
  return {
    description,
    // eslint-disable-next-line @typescript-eslint/require-await -- a throw must become a rejection
    async token(_signal, refused) {
      if (refused === undefined) return secret.read();
      throw new SinkUnavailableError(
        `${server} responded with 403 to ${description}: it is wrong, expired or revoked, or its policy ` +
          'denies the path; replace it with a valid one, or grant it create, read and update on the path',
      );
    },
  };
}

/** Time before the end of its lease at which a login is renewed; a short lease, after nine tenths. */
const RENEW_BEFORE_EXPIRY_MS = 60_000;

const loginSchema = z.object({
  auth: z.object({
    client_token: z.string().refine((token) => headerFormat(token) === null),
    lease_duration: z.number().min(0),
  }),
});

function createAppRoleIdentity(
  { server, target, send }: VaultClient,
  { mount, roleId, secretId }: AuthBy<'appRole'>,
  isCheck: boolean,
): VaultIdentity {
  const description = `the AppRole from ${roleId.source} and ${secretId.source}`;
  const cache = createTokenCache(() => {
    const body = { role_id: roleId.read(), secret_id: secretId.read() };
    return shareLogin(JSON.stringify([target, mount, body]), isCheck, () => logIn(body));
  });

  async function logIn(body: object): Promise<VaultLogin> {
    // Other deliveries may wait for this login too, so only the request timeout ends it.
    const { signal } = new AbortController();
    const response = await send({ method: 'POST', path: `auth/${mount}/login`, body }, signal);
    const parsed = loginSchema.safeParse(response.json);
    if (!isSuccess(response) || !parsed.success) {
      const error = vaultError(`${server}, login at auth/${mount}`, response, {
        400: 'it does not accept the role id or the secret id, or the secret id has no uses left',
        403:
          'it denies the login, or has locked the role after failed logins; to unlock it, ' +
          'run vault write -force sys/locked-users/<accessor of the auth method>/unlock/<role id>',
      });
      const message = `${error.message}; it used ${description}`;
      if ([400, 403].includes(response.status)) throw new LoginRefusedError(message);
      throw new SinkUnavailableError(message, response.retryAfterMs);
    }
    const { client_token: token, lease_duration: seconds } = parsed.data.auth;
    const leaseMs = seconds === 0 ? Infinity : seconds * 1000;
    return { token, renewAtMs: Date.now() + leaseMs - Math.min(RENEW_BEFORE_EXPIRY_MS, leaseMs / 10) };
  }

  return {
    description,
    async token(signal, refused) {
      try {
        const isStale = ({ token }: VaultLogin) => !isCheck && token === refused;
        return (await raceSignal(() => cache.get(isStale), signal)).token;
      } catch (error) {
        // Temporal would repeat a check that may soon succeed by itself.
        if (isCheck && error instanceof LoginRefusedError) throw new SinkRejectedError(error.message);
        throw error;
      }
    },
  };
}
