import { z } from 'zod';
import { parseJson } from '../http';
import type { ReferenceContext, Secret } from '../secrets';
import { headerSecret } from '../checked-secret';
import type { HttpAnswer } from './http-call';
import { errorOfAnswer, isSuccess } from './http-status';
import { SinkUnavailableError } from './sink';
import { plainPath } from './template';

/** Who the worker is at Vault: it has a token, or an AppRole that gets one. */
export type VaultAuthConfig =
  { method: 'token'; token: Secret } | { method: 'appRole'; mount: string; roleId: Secret; secretId: Secret };

export function vaultAuthSchema(context: ReferenceContext) {
  const secret = headerSecret(context);
  return z.discriminatedUnion('method', [
    z.strictObject({ method: z.literal('token'), token: secret }),
    z.strictObject({
      method: z.literal('appRole'),
      mount: plainPath.default('approle'),
      roleId: secret,
      secretId: secret,
    }),
  ]);
}

/** Sends one request to Vault; `token` goes into its header. `path` is below `/v1/`. */
export type VaultSend = (
  request: { method: 'GET' | 'POST' | 'PATCH'; path: string; token?: string; body?: object },
  signal: AbortSignal,
) => Promise<HttpAnswer>;

export interface VaultIdentity {
  /** @throws SinkUnavailableError when none can be had. */
  token(signal: AbortSignal): Promise<string>;
  /**
   * Vault answers 403 for a token that ran out as well as for a path that is denied. This finds out which.
   *
   * @returns a valid token to try again with, or null when the refused one is valid, so that the path is denied.
   * @throws SinkUnavailableError when no valid token can be had.
   */
  afterForbidden(refused: string, signal: AbortSignal): Promise<string | null>;
}

export function createVaultIdentity(peer: string, config: VaultAuthConfig, send: VaultSend): VaultIdentity {
  return config.method === 'token'
    ? tokenIdentity(peer, config.token, send)
    : appRoleIdentity(peer, config, send);
}

/** A token that someone else renews or replaces: it is read anew for each delivery. */
function tokenIdentity(peer: string, token: Secret, send: VaultSend): VaultIdentity {
  return {
    token: () => Promise.resolve(token.read()),
    async afterForbidden(refused, signal) {
      const answer = await send({ method: 'GET', path: 'auth/token/lookup-self', token: refused }, signal);
      // Every valid token may look itself up, unless its policy takes even that away.
      if (answer.status !== 403) return null;
      throw new SinkUnavailableError(
        `${peer} does not accept the token from ${token.source}: it is wrong, expired or revoked; put a valid one there`,
      );
    },
  };
}

/** Dropped this long before its lease ends, or after nine tenths of a short lease. */
const RENEW_BEFORE_EXPIRY_MS = 60_000;

const loginSchema = z.object({
  auth: z.object({ client_token: z.string().min(1), lease_duration: z.number().min(0) }),
});

interface Login {
  token: string;
  renewAtMs: number;
}

/** Logged in once for all deliveries that wait for it, and again when the lease is about to end. */
function appRoleIdentity(
  peer: string,
  { mount, roleId, secretId }: Extract<VaultAuthConfig, { method: 'appRole' }>,
  send: VaultSend,
): VaultIdentity {
  let current: Promise<Login> | null = null;

  async function logIn(): Promise<Login> {
    const body = { role_id: roleId.read(), secret_id: secretId.read() };
    // Of no delivery's own, since others wait for this login too; the request timeout ends it.
    const { signal } = new AbortController();
    const answer = await send({ method: 'POST', path: `auth/${mount}/login`, body }, signal);
    const parsed = loginSchema.safeParse(parseJson(answer.body));
    if (!isSuccess(answer) || !parsed.success) throw refusedLogin(answer);
    const { client_token: token, lease_duration: seconds } = parsed.data.auth;
    const leaseMs = seconds === 0 ? Infinity : seconds * 1000;
    return { token, renewAtMs: Date.now() + leaseMs - Math.min(RENEW_BEFORE_EXPIRY_MS, leaseMs / 10) };
  }

  function refusedLogin(answer: HttpAnswer): Error {
    const error = errorOfAnswer(`${peer} asked to log in at auth/${mount}`, answer);
    // Another secret id can be put in place while the token waits, so even a refusal is tried again.
    return new SinkUnavailableError(
      `${error.message}; the AppRole is from ${roleId.source} and ${secretId.source}`,
      answer.retryAfterMs,
    );
  }

  function login(): Promise<Login> {
    const pending = (current ??= logIn());
    pending.catch(() => drop(pending));
    return pending;
  }

  function drop(stale: Promise<Login>): void {
    if (current === stale) current = null;
  }

  async function freshToken(isStale: (login: Login) => boolean): Promise<string> {
    const pending = login();
    const found = await pending;
    if (!isStale(found)) return found.token;
    drop(pending);
    return (await login()).token;
  }

  return {
    token: (signal) =>
      unlessAborted(
        freshToken(({ renewAtMs }) => renewAtMs <= Date.now()),
        signal,
      ),
    afterForbidden: (refused, signal) =>
      unlessAborted(
        freshToken(({ token }) => token === refused),
        signal,
      ),
  };
}

/** Stops waiting when `signal` aborts; what was waited for goes on for others. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, stop } = abortion(signal);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    stop();
  }
}

function abortion(signal: AbortSignal): { promise: Promise<never>; stop: () => void } {
  let stop = () => {};
  const promise = new Promise<never>((_resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    stop = () => signal.removeEventListener('abort', onAbort);
  });
  return { promise, stop };
}
