import { randomBytes, randomUUID } from 'node:crypto';
import type { Fault, RouteName } from './faults';
import type { Seed } from './seed';

interface LinkToken {
  linkToken: string;
  orgId: string;
  accessListIps: string[];
  /** Client id or public key. */
  credential: string;
  createdAt: string;
  /** The API key that it embeds. */
  apiKey: { id: string; publicKey: string };
  removedAt: string | null;
}

export interface MigrationLink {
  sourceOrgId: string;
  /** Null when the link-token was not created here. */
  atlasOrgId: string | null;
  linkToken: string;
  linkedAt: string;
  /** Number of times that this link-token was posted. */
  posts: number;
  pollsLeft: number;
}

export interface RequestRecord {
  on: RouteName | 'unknown';
  method: string;
  path: string;
  /** Null until the response, and for good when the connection was reset before one. */
  status: number | null;
  /**
   * True when the response was a Digest challenge: such a request is not an attempt, and created
   * nothing.
   */
  challenge: boolean;
  startedAt: string;
}

/** The seed, and everything that has happened since. */
export class State {
  requests: RequestRecord[] = [];
  linkTokens: LinkToken[] = [];
  migrationLinks = new Map<string, MigrationLink>();
  private accessTokens = new Map<string, { clientId: string; expiresAt: number }>();
  /** Times of the requests for access tokens of the last minute, by address and account. */
  private tokenRequests = new Map<string, number[]>();
  private nonces = new Map<string, { issuedAt: number; counts: Set<string> }>();
  private buckets = new Map<string, { level: number; at: number }>();
  private faults: { fault: Fault; left: number }[] = [];
  /** Ends of the delays under way. */
  private delays = new Set<() => void>();

  constructor(
    private readonly firstSeed: Seed,
    public seed = firstSeed,
  ) {}

  reset(): void {
    Object.assign(this, new State(this.firstSeed));
  }

  expire(what: 'accessTokens' | 'nonces'): void {
    this[what].clear();
  }

  /** Opaque, and about as long as a real one, which embeds an API key. */
  createLinkToken(orgId: string, accessListIps: string[], credential: string): LinkToken {
    const createdAt = new Date();
    const created: LinkToken = {
      linkToken: randomBytes(258).toString('base64'),
      orgId,
      accessListIps,
      credential,
      createdAt: createdAt.toISOString(),
      apiKey: { id: newObjectId(createdAt), publicKey: randomBytes(4).toString('hex') },
      removedAt: null,
    };
    this.linkTokens.push(created);
    return created;
  }

  /** Removes the organization's link: every link-token of it. Returns whether there was one. */
  removeLinkTokens(orgId: string): boolean {
    const live = this.liveLinkTokens(orgId);
    for (const token of live) token.removedAt = new Date().toISOString();
    return live.length > 0;
  }

  liveLinkTokens(orgId: string): LinkToken[] {
    return this.linkTokens.filter((token) => token.orgId === orgId && token.removedAt === null);
  }

  /** Finds out that the link-token of a link has not been removed. */
  isLive({ linkToken, atlasOrgId }: MigrationLink): boolean {
    return (
      atlasOrgId === null ||
      this.liveLinkTokens(atlasOrgId).some((token) => token.linkToken === linkToken)
    );
  }

  /** Counts a request for an access token. Returns false for one above the limit. */
  countTokenRequest(address: string, clientId: string): boolean {
    const sender = `${address} ${clientId}`;
    const recent = (this.tokenRequests.get(sender) ?? []).filter((at) => at > Date.now() - 60_000);
    if (recent.length >= (this.seed.settings.accessTokensPerMinute ?? Infinity)) return false;
    this.tokenRequests.set(sender, [...recent, Date.now()]);
    return true;
  }

  /** Undefined when the account already holds as many live tokens as it may. */
  issueAccessToken(clientId: string): string | undefined {
    const { maxLiveAccessTokens, accessTokenLifetimeSeconds } = this.seed.settings;
    if (this.liveAccessTokens(clientId) >= maxLiveAccessTokens) return undefined;
    const expiresAt = Date.now() + accessTokenLifetimeSeconds * 1000;
    const token = jwt({ sub: clientId, exp: Math.floor(expiresAt / 1000), jti: randomUUID() });
    this.accessTokens.set(token, { clientId, expiresAt });
    return token;
  }

  /** The client id, while the token lives. */
  ownerOf(accessToken: string): string | undefined {
    const token = this.accessTokens.get(accessToken);
    return token && token.expiresAt > Date.now() ? token.clientId : undefined;
  }

  revoke(accessToken: string, clientId: string): void {
    if (this.ownerOf(accessToken) === clientId) this.accessTokens.delete(accessToken);
  }

  private liveAccessTokens(clientId: string): number {
    return [...this.accessTokens.keys()].filter((token) => this.ownerOf(token) === clientId).length;
  }

  issueNonce(): string {
    const nonce = randomBytes(24).toString('base64url');
    this.nonces.set(nonce, { issuedAt: Date.now(), counts: new Set() });
    return nonce;
  }

  /**
   * Each count is good once, in any order, since simultaneous requests overtake each other; RFC
   * 7616, 3.4, calls a count seen twice a replay.
   */
  useNonce(nonce: string, count: string): 'good' | 'stale' | 'replayed' {
    const record = this.nonces.get(nonce);
    if (!record || Date.now() - record.issuedAt >= this.seed.settings.nonceLifetimeMs) {
      this.nonces.delete(nonce);
      return 'stale';
    }
    if (record.counts.has(count)) return 'replayed';
    record.counts.add(count);
    return 'good';
  }

  /**
   * Takes one request from an organization's budget: Atlas grants 500 requests and refills 250 a
   * minute.
   */
  takeFromBudget(orgId: string) {
    const { enabled, capacity, refillPerMinute } = this.seed.settings.rateLimit;
    const now = Date.now();
    const { level, at } = this.buckets.get(orgId) ?? { level: capacity, at: now };
    const perMs = refillPerMinute / 60_000;
    const filled = Math.min(capacity, level + (now - at) * perMs);
    const allowed = !enabled || filled >= 1;
    const newLevel = allowed && enabled ? filled - 1 : filled;
    this.buckets.set(orgId, { level: newLevel, at: now });
    return {
      allowed,
      remaining: Math.floor(newLevel),
      retryAfterSeconds: Math.max(1, Math.ceil((1 - newLevel) / perMs / 1000)),
    };
  }

  addFaults(faults: Fault[]): void {
    const timesOf = ({ probability, times = 1 }: Fault) =>
      probability === undefined ? times : Infinity;
    this.faults.push(...faults.map((fault) => ({ fault, left: timesOf(fault) })));
  }

  clearFaults(): void {
    this.faults = [];
    for (const end of this.delays) end();
  }

  /** Passes the time, unless the faults are cleared before. */
  delay(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.delays.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms).unref();
      this.delays.add(end);
    });
  }

  /** The first fault that fits a request hits it. */
  takeFault(
    on: RequestRecord['on'],
    orgId: string | undefined,
    authenticated: boolean,
  ): Fault | undefined {
    const hit = this.faults.find(
      ({ fault }) =>
        fault.on === on &&
        (fault.orgId === undefined || fault.orgId === orgId) &&
        (authenticated || fault.beforeAuthentication === true) &&
        (fault.probability === undefined || Math.random() < fault.probability),
    );
    if (!hit) return undefined;
    hit.left -= 1;
    this.faults = this.faults.filter(({ left }) => left > 0);
    return hit.fault;
  }

  /** Returns the state for tests. Its only secrets are the link-tokens. */
  visible() {
    const { serviceAccounts, apiKeys, ...seed } = this.seed;
    return structuredClone({
      ...seed,
      serviceAccounts: serviceAccounts.map(({ clientId, orgId, roles }) => {
        return { clientId, orgId, roles, liveAccessTokens: this.liveAccessTokens(clientId) };
      }),
      apiKeys: apiKeys.map(({ publicKey, orgId, roles }) => ({ publicKey, orgId, roles })),
      linkTokens: this.linkTokens,
      migrationLinks: [...this.migrationLinks.values()],
      faults: this.faults.map(({ fault, left }) =>
        left === Infinity ? fault : { ...fault, times: left },
      ),
    });
  }
}

/** An ObjectId: the seconds since 1970 in eight hexadecimal digits, then 16 others. */
function newObjectId(at: Date): string {
  return Math.floor(at.getTime() / 1000).toString(16) + randomBytes(8).toString('hex');
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
