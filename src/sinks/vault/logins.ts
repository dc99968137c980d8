import { createHash } from 'node:crypto';
import { SinkUnavailableError } from '../sink';

export interface VaultLogin {
  token: string;
  renewAtMs: number;
}

/** Vault and OpenBao lock a role for this time after five refused logins. */
const REFUSAL_LASTS_MS = 15 * 60_000;

/** Thrown when Vault refuses a login. An operator can replace the secret id while the token waits. */
export class LoginRefusedError extends SinkUnavailableError {
  constructor(
    message: string,
    readonly untilMs = Date.now() + REFUSAL_LASTS_MS,
  ) {
    const until = new Date(untilMs).toISOString();
    super(`${message}; no delivery tries these values again before ${until}, but changed values are tried at once`);
  }
}

// All sinks of this process share their logins, by a hash of what they send.
const underWay = new Map<string, Promise<VaultLogin>>();
const refusals = new Map<string, LoginRefusedError>();

/**
 * Logs in, or waits for the same login.
 *
 * @param isCheck true to log in even soon after a refusal.
 * @throws the error of the login, or of the same login if it was refused less than 15 minutes ago.
 */
export function shareLogin(sent: string, isCheck: boolean, logIn: () => Promise<VaultLogin>): Promise<VaultLogin> {
  const key = createHash('sha256').update(sent).digest('hex');
  const refusal = refusals.get(key);
  if (refusal && !isCheck && refusal.untilMs > Date.now()) return Promise.reject(refusal);
  const login = underWay.get(key) ?? logInAndRemember(key, logIn);
  underWay.set(key, login);
  return login;
}

async function logInAndRemember(key: string, logIn: () => Promise<VaultLogin>): Promise<VaultLogin> {
  try {
    const login = await logIn();
    refusals.delete(key);
    return login;
  } catch (error) {
    if (error instanceof LoginRefusedError) refusals.set(key, error);
    throw error;
  } finally {
    underWay.delete(key);
  }
}
