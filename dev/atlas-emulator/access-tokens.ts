import { randomBytes, randomUUID } from 'node:crypto';
import type { Seed } from './seed';

type Settings = Seed['settings'];

/** The OAuth access tokens of service accounts, with the limits of Atlas. */
export class AccessTokens {
  private readonly tokens = new Map<string, { clientId: string; expiresAt: number }>();
  /** Times of the requests of the last minute, by address and account. */
  private readonly requests = new Map<string, number[]>();

  /** Counts a request for an access token. Returns false for one above the limit. */
  countRequest(
    address: string,
    clientId: string,
    { accessTokensPerMinute }: Pick<Settings, 'accessTokensPerMinute'>,
  ): boolean {
    const sender = `${address} ${clientId}`;
    const recent = (this.requests.get(sender) ?? []).filter((at) => at > Date.now() - 60_000);
    if (recent.length >= (accessTokensPerMinute ?? Infinity)) return false;
    this.requests.set(sender, [...recent, Date.now()]);
    return true;
  }

  /** Undefined when the account already holds as many live tokens as it may. */
  issue(
    clientId: string,
    {
      maxLiveAccessTokens,
      accessTokenLifetimeSeconds,
    }: Pick<Settings, 'maxLiveAccessTokens' | 'accessTokenLifetimeSeconds'>,
  ): string | undefined {
    if (this.countLive(clientId) >= maxLiveAccessTokens) return undefined;
    const expiresAt = Date.now() + accessTokenLifetimeSeconds * 1000;
    const token = jwt({ sub: clientId, exp: Math.floor(expiresAt / 1000), jti: randomUUID() });
    this.tokens.set(token, { clientId, expiresAt });
    return token;
  }

  /** The client id, while the token lives. */
  ownerOf(accessToken: string): string | undefined {
    const token = this.tokens.get(accessToken);
    return token && token.expiresAt > Date.now() ? token.clientId : undefined;
  }

  revoke(accessToken: string, clientId: string): void {
    if (this.ownerOf(accessToken) === clientId) this.tokens.delete(accessToken);
  }

  countLive(clientId: string): number {
    return [...this.tokens.keys()].filter((token) => this.ownerOf(token) === clientId).length;
  }

  /** Ends all tokens at once. */
  expire(): void {
    this.tokens.clear();
  }
}

/**
 * MongoDB's Go SDK reads `exp` from a cached token, so it has the shape of a JWT; its signature is
 * noise.
 */
function jwt(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return [
    part({ alg: 'ES512', typ: 'JWT' }),
    part(claims),
    randomBytes(64).toString('base64url'),
  ].join('.');
}
