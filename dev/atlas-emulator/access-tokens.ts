import { randomBytes, randomUUID } from 'node:crypto';
import type { Settings } from './seed';

/** Access tokens by their text. */
export class AccessTokens {
  private readonly tokens = new Map<string, { clientId: string; expiresAt: number }>();

  /** Undefined when the account already holds as many live tokens as it may. */
  issue(clientId: string, settings: Settings): string | undefined {
    if (this.liveCount(clientId) >= settings.maxLiveAccessTokens) return undefined;
    const expiresAt = Date.now() + settings.accessTokenLifetimeSeconds * 1000;
    const token = jwt({ sub: clientId, exp: Math.floor(expiresAt / 1000), jti: randomUUID() });
    this.tokens.set(token, { clientId, expiresAt });
    return token;
  }

  /** The client id, while the token lives. */
  ownerOf(token: string): string | undefined {
    const found = this.tokens.get(token);
    return found && found.expiresAt > Date.now() ? found.clientId : undefined;
  }

  liveCount(clientId: string): number {
    const now = Date.now();
    return [...this.tokens.values()].filter((t) => t.clientId === clientId && t.expiresAt > now).length;
  }

  revoke(token: string, clientId: string): void {
    if (this.ownerOf(token) === clientId) this.tokens.delete(token);
  }

  clear(): void {
    this.tokens.clear();
  }
}

/** MongoDB's Go SDK reads `exp` from a cached token, so it has the shape of a JWT; its signature is noise. */
function jwt(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return [part({ alg: 'ES512', typ: 'JWT' }), part(claims), randomBytes(64).toString('base64url')].join('.');
}
